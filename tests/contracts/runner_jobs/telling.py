# ruff: noqa: T201 - what handlers print is what is tested
"""Handlers that report, print, and carry much."""

import asyncio
import os
import subprocess
import sys
import threading
from typing import Any

from netscript_workers.authoring.context import JobContext


def progresses(ctx: JobContext) -> None:
    ctx.report_progress(10, "charging")
    ctx.report_progress(90, "charged")


def logs(ctx: JobContext) -> None:
    ctx.log.info("charged %s", "A-1", cents=12)
    ctx.log.warning("slow")


def logs_much(ctx: JobContext) -> None:
    ctx.log.info("under way")
    while not os.path.exists(ctx.payload["gate"]):
        pass
    for _ in range(40):
        ctx.log.info("z" * 15_000)


def prints(ctx: JobContext) -> None:
    print("to stdout", ctx.id)
    print("to stderr", file=sys.stderr)
    sys.stdout.write("left open")


async def prints_async(ctx: JobContext) -> None:
    print("before", ctx.id)
    await asyncio.sleep(0)
    await asyncio.to_thread(print, "from a thread", ctx.id)
    print("after", ctx.id)


def prints_much(ctx: JobContext) -> None:
    line = "x" * 99
    for _ in range(100_000):
        print(line)
    print("the last line")


def prints_long(ctx: JobContext) -> None:
    print("y" * 100_000)
    print("after it")


def prints_below(ctx: JobContext) -> None:
    subprocess.run(["echo", "from a program"], check=True)


def big(ctx: JobContext) -> Any:
    return {"blob": ctx.payload["blob"] + "!"}


def where(ctx: JobContext) -> Any:
    return {
        "pid": os.getpid(),
        "sid": os.getsid(0),
        "pgid": os.getpgid(0),
        "threads": threading.active_count(),
    }
