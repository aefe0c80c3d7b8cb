"""When the process that slots are forked from is killed, its runs fail as crashed, nothing is left, and another one serves."""

import asyncio
import os
import signal

import pytest

from contracts import runners
from contracts.runners import Seen, run
from netscript_workers.domain.outcome import Cause, Kind
from netscript_workers.errors import SlotError
from netscript_workers.runners import fork_source
from netscript_workers.runners.fork_source import ForkSource
from netscript_workers.runners.messages import Ready
from netscript_workers.runners.warm_slot import WarmSlotRunner
from netscript_workers.runners.zygote_link import ZygoteLink

pytestmark = pytest.mark.faults


async def test_runs_end_as_crashed_descendants_end_and_the_next_run_is_served(
    caplog: pytest.LogCaptureFixture,
):
    source = ForkSource(runners.refs(), str(runners.JOBS))
    runner = WarmSlotRunner(source)
    await runner.start()
    seen = [Seen() for _ in range(4)]
    runs = [asyncio.ensure_future(run(runner, "leaves_daemon_and_hangs", seen=each)) for each in seen]
    for each in seen:
        await each.under_way()
    slots = [report.pid for report in runner.slots()]
    first = source.zygote_pid
    os.kill(first, signal.SIGKILL)
    async with asyncio.timeout(runners.PATIENCE):
        outcomes = await asyncio.gather(*runs)
    assert {(outcome.kind, outcome.cause) for outcome in outcomes} == {(Kind.CRASHED, Cause.CRASH)}
    assert all("SIGKILL" in (outcome.error or "") for outcome in outcomes)
    for pid in [*slots, *(int(each.of("log")[0]) for each in seen)]:
        assert not runners.is_alive(pid)
    async with asyncio.timeout(runners.PATIENCE):
        assert (await run(runner, "nothing")).kind is Kind.SUCCEEDED
    assert source.zygote_pid not in (0, first)
    assert "starting another one" in caplog.text
    await runner.stop(1_000)


async def test_a_zygote_that_keeps_dying_is_given_up_with_a_reason(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fork_source, "_BACKOFF_SECONDS", (0.0, 0.0))
    source = ForkSource(runners.refs(), str(runners.JOBS))
    runner = WarmSlotRunner(source)
    await runner.start()

    async def kill_again_and_again() -> None:
        while True:
            if source.zygote_pid:
                os.kill(source.zygote_pid, signal.SIGKILL)
            await run(runner, "nothing")

    with pytest.raises(SlotError, match="2 times in a row"):
        await asyncio.wait_for(kill_again_and_again(), runners.PATIENCE)
    await runner.stop(1_000)


async def test_a_killed_daemonised_grandchild_does_not_disturb_its_run():
    async with runners.running(runners.RunnerMode.WEB_WORKER) as runner:
        seen = Seen()
        task = asyncio.ensure_future(run(runner, "leaves_daemon_and_hangs", seen=seen))
        await seen.under_way()
        os.kill(int(seen.of("log")[0]), signal.SIGKILL)
        assert (await run(runner, "nothing")).kind is Kind.SUCCEEDED
        assert not task.done()
        task.cancel()
        await asyncio.wait({task})


async def test_a_zygote_that_dies_right_after_its_word_is_noticed(monkeypatch: pytest.MonkeyPatch):
    start = ZygoteLink.start

    async def start_and_die(link: ZygoteLink, timeout_ms: int) -> Ready:
        ready = await start(link, timeout_ms)
        os.kill(link.pid, signal.SIGKILL)
        async with asyncio.timeout(runners.PATIENCE):
            while link.alive:
                await asyncio.sleep(0.005)
        return ready

    monkeypatch.setattr(ZygoteLink, "start", start_and_die)
    runner = WarmSlotRunner(ForkSource(runners.refs(), str(runners.JOBS)))
    with pytest.raises(SlotError, match="right after it had imported"):
        await runner.start()


async def test_a_recovery_that_breaks_is_told_to_the_runs_that_wait_for_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    source = ForkSource(runners.refs(), str(runners.JOBS))
    runner = WarmSlotRunner(source)
    await runner.start()

    async def break_down(_source: ForkSource) -> None:
        raise RuntimeError("no way to launch")

    monkeypatch.setattr(ForkSource, "_launch", break_down)
    os.kill(source.zygote_pid, signal.SIGKILL)
    async with asyncio.timeout(runners.PATIENCE):
        while source.zygote_pid:
            await asyncio.sleep(0.005)
        with pytest.raises(SlotError, match="no way to launch"):
            await run(runner, "nothing")
    await runner.stop(1_000)
