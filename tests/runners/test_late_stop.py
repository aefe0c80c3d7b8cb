"""A stop that comes when the handler has already returned does not take its outcome away."""

import asyncio
import resource

import pytest

from contracts import runners
from contracts.runners import run
from netscript_workers.domain.outcome import Kind
from netscript_workers.domain.target import RunnerMode
from netscript_workers.errors import SlotError
from netscript_workers.runners.granted import GrantedRunner


@pytest.mark.parametrize("mode", runners.ISOLATED)
async def test_a_stop_while_leftovers_are_ended_keeps_the_outcome(mode, monkeypatch):
    async with runners.running(mode) as runner:
        entered = asyncio.Event()

        async def after(_slot, _outcome):
            entered.set()
            await asyncio.Event().wait()

        (of,) = runner._sets.all if isinstance(runner, GrantedRunner) else (runner,)
        monkeypatch.setattr(getattr(of, "runner", of), "_after", after)
        task = asyncio.ensure_future(run(runner, "nothing"))
        await asyncio.wait_for(entered.wait(), runners.PATIENCE)
        task.cancel()
        outcome = await asyncio.wait_for(task, runners.PATIENCE)
        assert outcome.kind is Kind.SUCCEEDED


async def test_a_stop_in_the_moment_between_an_end_and_its_hearing_keeps_the_outcome():
    async with runners.running(RunnerMode.IN_PROCESS) as runner:
        task = asyncio.ensure_future(run(runner, "nothing_async"))
        (inner,) = [None]
        while not task.done():
            await asyncio.sleep(0)
            inner = next(iter(runner._runs), inner)
            if inner is not None and inner.ended.done():
                task.cancel()
                break
        outcome = await asyncio.wait_for(task, runners.PATIENCE)
        assert outcome.kind is Kind.SUCCEEDED


async def test_a_daemon_out_of_descriptors_says_so_and_leaks_none():
    async with runners.running(RunnerMode.SUBPROCESS) as runner:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (5, hard))
        try:
            with pytest.raises(SlotError, match="LimitNOFILE"):
                await run(runner, "nothing")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert (await run(runner, "nothing")).kind is Kind.SUCCEEDED
