# ruff: noqa: T201 - what handlers print is what is tested
"""Handlers that take their process down, or fill it, or leave others behind."""

import ctypes
import os
import signal
import subprocess
import sys
import time

from netscript_workers.authoring.context import JobContext

HOLD = "import time; print('held', flush=True); time.sleep(600)"


def exits_hard(ctx: JobContext) -> None:
    print("last words")
    os._exit(7)


def segfaults(ctx: JobContext) -> None:
    ctypes.string_at(0)


def kills_itself(ctx: JobContext) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fills_memory(ctx: JobContext) -> None:
    held = []
    while True:
        held.append(b"x" * 8_000_000)
        time.sleep(0.001)


def holds_memory(ctx: JobContext) -> None:
    globals()["kept"] = b"x" * (int(ctx.payload["mib"]) * 1024 * 1024)


def leaves_child(ctx: JobContext) -> int:
    child = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE)
    assert child.stdout
    child.stdout.readline()
    return child.pid


def leaves_talker(ctx: JobContext) -> int:
    program = "import time\nwhile True: print('from the past', flush=True); time.sleep(0.001)"
    return subprocess.Popen([sys.executable, "-c", program]).pid


def leaves_daemon(ctx: JobContext) -> int:
    """Fork twice with a session of its own, as daemons do; returns the grandchild's process id."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.setsid()
        if (grandchild := os.fork()) == 0:
            os.closerange(0, 64)
            while True:
                time.sleep(60)
        os.write(writing, str(grandchild).encode())
        os._exit(0)
    os.waitpid(child, 0)
    return int(os.read(reading, 32))


def leaves_daemon_and_hangs(ctx: JobContext) -> None:
    ctx.log.info(str(leaves_daemon(ctx)))
    while True:
        time.sleep(60)
