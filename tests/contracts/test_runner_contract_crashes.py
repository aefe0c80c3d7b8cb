"""A crash of the handler fails that attempt only, where the mode isolates; in the daemon's own process it can end the daemon."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from contracts import runners
from contracts.runners import CONFINED, ISOLATED, Seen, run
from netscript_workers.domain.outcome import Cause, Kind
from netscript_workers.domain.target import Mode, RunnerMode

MIB = 1024 * 1024
IN_PROCESS = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from contracts import runners
from netscript_workers.domain.target import Mode, RunnerMode

async def main():
    if len(sys.argv) > 3:
        import resource
        resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[3]),) * 2)
    async with runners.running(RunnerMode.IN_PROCESS) as runner:
        outcome = await runners.run(runner, sys.argv[2])
        print(outcome.kind.value, (outcome.error or "").splitlines()[-1], file=sys.__stdout__)

asyncio.run(main())
"""


@pytest.mark.parametrize("mode", ISOLATED)
@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("exits_hard", 7, "exit status 7"),
        ("segfaults", -signal.SIGSEGV, "SIGSEGV"),
        ("kills_itself", -signal.SIGKILL, "SIGKILL"),
    ],
)
async def test_a_crash_fails_that_attempt_only(mode: Mode, name: str, code: int, words: str):
    async with runners.running(mode) as runner:
        neighbour = asyncio.ensure_future(run(runner, "obeys", seen=(seen := Seen())))
        await seen.under_way()
        outcome = await run(runner, name)
        assert (outcome.kind, outcome.cause, outcome.exit_code) == (Kind.CRASHED, Cause.CRASH, code)
        assert words in (outcome.error or "")
        assert not neighbour.done()
        assert (await run(runner, "nothing")).kind is Kind.SUCCEEDED
        neighbour.cancel()
        await asyncio.wait({neighbour})


@pytest.mark.parametrize("mode", ISOLATED)
async def test_the_last_words_of_a_crash_are_kept(mode: Mode):
    async with runners.running(mode) as runner:
        seen = Seen()
        await run(runner, "exits_hard", seen=seen)
        assert seen.of("stdout") == ["last words"]


@pytest.mark.parametrize(
    ("name", "status"),
    [("exits_hard", 7), ("segfaults", -signal.SIGSEGV), ("kills_itself", -signal.SIGKILL)],
)
async def test_in_process_a_crash_takes_the_daemon_down(name: str, status: int):
    code, _ = await _in_process(name)
    assert code == status


async def test_in_process_want_of_memory_fails_the_attempt_where_the_system_refuses_it():
    code, words = await _in_process("fills_memory", str(600 * MIB))
    assert code == 0
    assert words == "failed MemoryError\n"


@pytest.mark.parametrize("mode", ISOLATED)
async def test_a_run_far_over_the_memory_of_a_slot_is_ended_and_says_so(mode: Mode):
    async with runners.running(mode, max_slot_memory_mb=64) as runner:
        neighbour = asyncio.ensure_future(run(runner, "obeys", seen=(seen := Seen())))
        await seen.under_way()
        outcome = await run(runner, "fills_memory")
        assert (outcome.kind, outcome.cause) == (Kind.CRASHED, Cause.CRASH)
        assert "out of memory" in (outcome.error or "")
        assert "max_slot_memory_mb (64)" in (outcome.error or "")
        assert outcome.usage
        assert (outcome.usage.peak_memory or 0) > 128 * MIB
        assert not neighbour.done()
        neighbour.cancel()
        await asyncio.wait({neighbour})


@pytest.mark.parametrize("name", ["leaves_child", "leaves_daemon"])
async def test_what_a_fresh_process_leaves_behind_ends_with_the_attempt(name: str):
    async with runners.running(RunnerMode.SUBPROCESS) as runner:
        outcome = await run(runner, name)
        assert not runners.is_alive(json.loads(outcome.result or b"0"))


@pytest.mark.parametrize("name", ["leaves_child", "leaves_daemon"])
async def test_what_a_warm_run_leaves_behind_lives_on_and_ends_with_the_slot(name: str):
    async with runners.running(RunnerMode.WEB_WORKER) as runner:
        pid = json.loads((await run(runner, name)).result or b"0")
        assert runners.is_alive(pid)
        assert (await run(runner, "nothing")).kind is Kind.SUCCEEDED
        assert runners.is_alive(pid)
        await run(runner, "kills_itself")
        assert not runners.is_alive(pid)


async def test_what_a_left_behind_process_prints_is_never_taken_for_the_next_run():
    async with runners.running(RunnerMode.WEB_WORKER) as runner:
        await run(runner, "leaves_talker")
        for _ in range(3):
            seen = Seen()
            await run(runner, "prints", seen=seen)
            assert seen.of("stdout") == ["to stdout run-of-prints", "left open"]


@pytest.mark.parametrize("mode", ISOLATED)
async def test_a_killed_run_takes_its_daemonised_grandchildren_along(mode: Mode):
    async with runners.running(mode) as runner:
        seen, _ = await runners.stopped(runner, "leaves_daemon_and_hangs")
        if (
            mode not in CONFINED
        ):  # there the id is one of a room that has ended; that nothing is left, the suite itself looks
            assert not runners.is_alive(int(seen.of("log")[0]))


async def _in_process(name: str, *arguments: str) -> tuple[int, str]:
    """Run one handler in a daemon of its own; returns how that process ended and what it wrote."""
    tests = str(Path(__file__).parents[1])
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", IN_PROCESS, tests, name, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "PYTHONFAULTHANDLER": ""},
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()
