"""Warm slots are kept, and replaced when they are worn, too large or dead."""

import asyncio
import json
import os
import signal

from contracts import runners
from contracts.runners import run
from netscript_workers.domain.outcome import Kind
from netscript_workers.domain.target import RunnerMode
from netscript_workers.ports.runner import Runner


async def pid_of_run(runner: Runner) -> int:
    return json.loads((await run(runner, "where")).result or b"{}")["pid"]


async def test_a_warm_slot_serves_run_after_run():
    async with runners.running(RunnerMode.WEB_WORKER) as runner:
        assert len({await pid_of_run(runner) for _ in range(10)}) == 1


async def test_there_are_as_many_slots_as_runs_at_once():
    async with runners.running(RunnerMode.WEB_WORKER) as runner:
        await asyncio.gather(*(run(runner, "nothing") for _ in range(3)))
        await asyncio.gather(*(run(runner, "nothing") for _ in range(2)))
        assert len(runner.slots()) == 3


async def test_a_fresh_process_serves_one_run_in_a_session_of_its_own():
    async with runners.running(RunnerMode.SUBPROCESS) as runner:
        reports = [json.loads((await run(runner, "where")).result or b"{}") for _ in range(3)]
        assert len({report["pid"] for report in reports}) == 3
        assert all(report["pid"] == report["sid"] == report["pgid"] for report in reports)
        assert all(report["threads"] == 1 for report in reports)


async def test_a_slot_is_replaced_after_its_number_of_runs():
    async with runners.running(RunnerMode.WEB_WORKER, max_jobs_per_slot=2) as runner:
        pids = [await pid_of_run(runner) for _ in range(5)]
        assert pids[0] == pids[1]
        assert pids[2] == pids[3]
        assert len(set(pids)) == 3


async def test_a_slot_that_grew_too_large_is_replaced_after_the_run():
    async with runners.running(RunnerMode.WEB_WORKER, max_slot_memory_mb=64) as runner:
        before = await pid_of_run(runner)
        assert (await run(runner, "holds_memory", {"mib": 80})).kind is Kind.SUCCEEDED
        assert await pid_of_run(runner) != before


async def test_a_slot_that_took_much_but_gave_it_back_is_kept():
    async with runners.running(RunnerMode.WEB_WORKER, max_slot_memory_mb=64) as runner:
        before = await pid_of_run(runner)
        await run(runner, "holds_memory", {"mib": 1})
        assert await pid_of_run(runner) == before


async def test_a_slot_that_dies_while_idle_is_noticed_and_replaced():
    async with runners.running(RunnerMode.WEB_WORKER) as runner:
        before = await pid_of_run(runner)
        os.kill(before, signal.SIGKILL)
        async with asyncio.timeout(runners.PATIENCE):
            while runner.slots():
                await asyncio.sleep(0.005)
        assert await pid_of_run(runner) != before


async def test_an_async_cancellation_in_time_keeps_the_slot():
    async with runners.running(RunnerMode.WEB_WORKER) as runner:
        before = await pid_of_run(runner)
        await runners.stopped(runner, "sleeps_async")
        assert await pid_of_run(runner) == before
