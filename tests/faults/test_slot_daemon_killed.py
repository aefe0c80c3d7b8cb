"""No slot and nothing below one outlives its daemon, also after kill -9. Looked up in /proc by an inherited variable."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TESTS = str(Path(__file__).parents[1])
MARK = "NETSCRIPT_WORKERS_FAULT_TEST"
PATIENCE = 20.0
DAEMON = """
import asyncio, sys, uvloop
sys.path.insert(0, sys.argv[1])
from contracts import runners
from netscript_workers.domain.target import RunnerMode

async def main():
    async with runners.running(RunnerMode(sys.argv[2])) as runner:
        seen = [runners.Seen() for _ in range(10)]
        runs = [asyncio.ensure_future(runners.run(runner, sys.argv[3], seen=each)) for each in seen]
        for each in seen:
            await each.under_way()
        print("busy", flush=True)
        await asyncio.wait(runs)

uvloop.run(main())
"""

pytestmark = pytest.mark.faults


def marked(value: str) -> list[int]:
    """Return the processes that carry the mark, or were forked by one that does."""
    wanted = f"{MARK}={value}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def wait_until_gone(value: str) -> list[int]:
    give_up_at = time.monotonic() + PATIENCE
    while (left := marked(value)) and time.monotonic() < give_up_at:
        time.sleep(0.02)
    return left


@pytest.mark.parametrize("mode", ["web-worker", "subprocess"])
@pytest.mark.parametrize("handler", ["leaves_daemon_and_hangs", "blocks_signals"])
def test_nothing_is_left_when_the_daemon_is_killed_with_ten_busy_slots(mode: str, handler: str):
    value = f"{os.getpid()}-{mode}-{handler}"
    with subprocess.Popen(
        [sys.executable, "-c", DAEMON, TESTS, mode, handler],
        stdout=subprocess.PIPE,
        env={**os.environ, MARK: value},
    ) as daemon:
        assert daemon.stdout
        assert daemon.stdout.readline() == b"busy\n"
        expected = (
            22 if handler == "leaves_daemon_and_hangs" else 12
        )  # itself, the zygote, ten slots, their grandchildren
        assert len(marked(value)) >= expected
        os.kill(daemon.pid, signal.SIGKILL)
        daemon.wait()
        assert wait_until_gone(value) == []


def test_nothing_is_left_when_the_daemon_is_killed_while_job_modules_are_imported(tmp_path: Path):
    (tmp_path / "slow.py").write_text("print('importing', flush=True)\nwhile True: pass\n")
    program = """
import asyncio, sys
from netscript_workers.authoring.loading import HandlerRef
from netscript_workers.runners.fork_source import ForkSource
asyncio.run(ForkSource([HandlerRef("slow", sys.argv[1] + "/slow.py")], sys.argv[1]).start(object()))
"""
    value = f"{os.getpid()}-importing"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stderr=subprocess.PIPE,
        env={**os.environ, MARK: value},
    ) as daemon:
        assert daemon.stderr
        assert daemon.stderr.readline() == b"importing\n"
        os.kill(daemon.pid, signal.SIGKILL)
        daemon.wait()
        assert wait_until_gone(value) == []
