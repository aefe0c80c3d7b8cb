"""Every mode ends a run that must end; what a runaway becomes is what SPEC section 7 promises for the mode."""

import asyncio
import time
from pathlib import Path

import pytest

from contracts import runners
from contracts.runners import ISOLATED, MODES, PATIENCE, Seen, run, stopped
from netscript_workers.domain.outcome import Kind
from netscript_workers.domain.target import Mode, RunnerMode

ENDS_WITHIN = 10.0  # the grace and a kill, on a machine that is busy with other tests


@pytest.mark.parametrize("mode", MODES)
async def test_an_async_handler_is_cancelled_and_may_clean_up(mode: Mode):
    async with runners.running(mode) as runner:
        seen, seconds = await stopped(runner, "sleeps_async")
        assert seen.of("log") == ["under way", "cleaned up"]
        assert seconds < ENDS_WITHIN
        assert (await run(runner, "nothing")).kind is Kind.SUCCEEDED


@pytest.mark.parametrize("mode", MODES)
async def test_a_plain_function_that_asks_learns_that_it_must_end(mode: Mode):
    async with runners.running(mode) as runner:
        seen, _ = await stopped(runner, "obeys")
        assert seen.of("log") == ["under way", "obeyed"]


@pytest.mark.parametrize("mode", ISOLATED)
@pytest.mark.parametrize("name", ["sleeps", "spins", "blocks_signals", "swallows"])
async def test_a_runaway_is_killed_and_the_next_run_is_served(mode: Mode, name: str):
    async with runners.running(mode) as runner:
        pid = 0

        async def note_pid() -> None:
            nonlocal pid
            while not (pid := next((s.pid for s in runner.slots() if s.target == name), 0)):
                await asyncio.sleep(0.005)

        noting = asyncio.ensure_future(note_pid())
        _, seconds = await stopped(runner, name)
        await asyncio.wait_for(noting, PATIENCE)
        assert seconds < ENDS_WITHIN
        await runners.until_gone(pid)
        assert (await run(runner, "nothing")).kind is Kind.SUCCEEDED


@pytest.mark.parametrize("mode", ISOLATED)
async def test_a_second_cancellation_does_not_wait_for_the_grace(mode: Mode):
    async with runners.running(mode) as runner:
        seen = Seen()
        task = asyncio.ensure_future(run(runner, "sleeps", seen=seen))
        await seen.under_way()
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=0.4)
        assert done


@pytest.mark.parametrize("name", ["spins", "swallows"])
async def test_in_process_a_runaway_is_abandoned_reported_and_shown_until_it_ends(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    gate = tmp_path / "gate"
    async with runners.running(RunnerMode.IN_PROCESS) as runner:
        _, seconds = await stopped(runner, name, {"gate": str(gate)})
        assert seconds < ENDS_WITHIN
        assert "abandoned" in caplog.text
        assert [report.mode for report in runner.slots()] == ["in-process (abandoned)"]
        assert (await run(runner, "nothing")).kind is Kind.SUCCEEDED
        gate.touch()
        give_up_at = time.monotonic() + PATIENCE
        while runner.slots() and time.monotonic() < give_up_at:
            await asyncio.sleep(0.01)
        assert runner.slots() == []


@pytest.mark.parametrize("mode", ISOLATED)
async def test_stopping_a_runner_leaves_no_process(mode: Mode):
    async with runners.running(mode) as runner:
        await asyncio.gather(*(run(runner, "where") for _ in range(4)))
        pids = [report.pid for report in runner.slots()]
    for pid in pids:
        assert not runners.is_alive(pid)
