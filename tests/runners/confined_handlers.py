"""Handlers that try what their permissions allow and what they do not."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from netscript_workers import JobContext


async def reads(ctx: JobContext) -> str:
    return Path(ctx.payload["path"]).read_text()


def writes(ctx: JobContext) -> None:
    Path(ctx.payload["path"]).write_text("written")


def uses_own_tmp(ctx: JobContext) -> str:
    place = Path(os.environ["TMPDIR"]) / "note"
    place.write_text("mine")
    return place.read_text()


def connects(ctx: JobContext) -> None:
    socket.create_connection(("127.0.0.1", ctx.payload["port"]), timeout=5).close()


def fetches(ctx: JobContext) -> str:
    with urllib.request.urlopen(ctx.payload["url"], timeout=10) as answer:
        return answer.read().decode()


def fetches_later(ctx: JobContext) -> str:
    ctx.log.info("under way")
    while not Path(ctx.payload["gate"]).exists():
        time.sleep(0.01)
    return fetches(ctx)


def starts_program(ctx: JobContext) -> str:
    return subprocess.run(["/bin/echo", "ran"], capture_output=True, text=True, check=True).stdout


def sees_environment(ctx: JobContext) -> dict[str, object]:
    with open("/proc/self/environ") as file:
        return {"names": sorted(os.environ), "block": file.read().strip("\0")}


async def reports(ctx: JobContext) -> dict[str, int]:
    ctx.report_progress(50, "half")
    ctx.log.info("from inside")
    print("printed")  # noqa: T201 - what it prints is what is looked at
    await asyncio.sleep(0.01)
    return {"pid": os.getpid()}


def spins(ctx: JobContext) -> None:
    while True:
        pass


def hangs(ctx: JobContext) -> None:
    (Path(os.environ["TMPDIR"]) / "left").write_text("x")
    ctx.log.info("under way")
    while True:
        signal.pause()


def holds(ctx: JobContext) -> int:
    block = b"x" * ctx.payload["bytes"]
    ctx.log.info("under way")
    while True:
        signal.pause()
    return len(block)


def fills(ctx: JobContext) -> int:
    return len(b"x" * ctx.payload["bytes"])


def opens(ctx: JobContext) -> int:
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(ctx.payload["count"])]
    return len(held)


def forks(ctx: JobContext) -> None:
    for _ in range(ctx.payload["count"]):
        if os.fork() == 0:
            signal.pause()


def chatters(ctx: JobContext) -> None:
    for _ in range(ctx.payload["lines"]):
        sys.stdout.write("x" * 99 + "\n")


def attacks(ctx: JobContext) -> dict[str, bool]:
    from support import attacks as hostile

    at = {**json.loads(ctx.payload["at"]), "parent": os.getppid()}
    return {name: hostile.tried(name, at) for name in hostile.ATTACKS}
