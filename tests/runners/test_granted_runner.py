"""The sources of jobs with permissions: few are kept, many come with their first run and go when nobody uses them."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from contracts.runners import PATIENCE, Seen, execution, target, until_gone
from netscript_workers.authoring.loading import HandlerRef
from netscript_workers.domain.outcome import Kind, Outcome
from netscript_workers.domain.target import ConfinedMode
from netscript_workers.errors import SlotError
from netscript_workers.processes.tree import children_of
from netscript_workers.runners.confined_process import ConfinedProcessRunner
from netscript_workers.runners.fork_source import Adoption, ForkSource
from netscript_workers.runners.granted import MOST_KEPT, GrantedJobs, GrantedRunner
from netscript_workers.sandbox.kernel_sandbox import KernelSandbox, Strictness

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="slots of their own need Linux or macOS")
MANY = MOST_KEPT + 1
JOB = """
import asyncio, os

async def job(ctx):
    ctx.log.info("under way")
    while ctx.payload.get("gate") and not os.path.exists(ctx.payload["gate"]):
        await asyncio.sleep(0.01)
    return {{"version": {version}, "source": os.getppid(), "names": sorted(os.environ)}}
"""
LETHAL = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"
SANDBOX = KernelSandbox(Strictness.OFF)


class Yard:
    """Some sets of one job each, `job-0` and on, each with a variable of its own."""

    def __init__(self, folder: Path, count: int, idle_ms: int) -> None:
        self.folder = folder
        self.count = count
        self.adoption = Adoption()
        self.write(1)
        self.runner = GrantedRunner(self.jobs(), self.make, SANDBOX, idle_ms=idle_ms)

    def write(self, version: int) -> None:
        for number in range(self.count):
            (self.folder / f"job_{number}.py").write_text(JOB.format(version=version))

    def jobs(self) -> list[GrantedJobs]:
        return [self.set_of(number) for number in range(self.count)]

    def set_of(self, number: int) -> GrantedJobs:
        id = f"job-{number}"
        refs = [HandlerRef(id, str(self.folder / f"job_{number}.py"), "job")]
        shown = {"PATH": os.environ["PATH"], "PYTHONPATH": ":".join(sys.path), f"OF_{number}": "1"}
        return GrantedJobs(ids=frozenset({id}), handlers=refs, environment=shown)

    def make(self, jobs: GrantedJobs) -> ConfinedProcessRunner:
        root, shown = str(self.folder), jobs.environment
        source = ForkSource(jobs.handlers, root, environment=shown, adoption=self.adoption)
        return ConfinedProcessRunner(
            ConfinedMode.CONFINED, source, SANDBOX, root=root, environment=shown, owns_sandbox=False
        )

    async def reload(self, version: int) -> None:
        self.write(version)
        self.runner.renew(await self.runner.prepare(self.jobs(), self.make))

    def begin(self, number: int, seen: Seen | None = None, **payload: str) -> asyncio.Future[Outcome]:
        id, deadline = f"job-{number}", time.time_ns() // 1_000_000 + 60_000
        return asyncio.ensure_future(
            self.runner.run(execution(id, payload), target(id), deadline, seen or Seen())
        )

    async def one(self, number: int) -> dict:
        return result(await asyncio.wait_for(self.begin(number), PATIENCE))


def result(outcome: Outcome) -> dict:
    assert outcome.kind is Kind.SUCCEEDED, outcome
    return json.loads(outcome.result or b"")


def processes() -> frozenset[int]:
    return frozenset(children_of(os.getpid()))


@asynccontextmanager
async def running(folder: Path, count: int, *, idle_ms: int = 3_600_000) -> AsyncIterator[Yard]:
    yard = Yard(folder, count, idle_ms)
    await yard.runner.start()
    try:
        yield yard
    finally:
        await yard.runner.stop(2_000)


async def test_few_sets_start_with_the_runner_and_stay(tmp_path):
    before = processes()
    async with running(tmp_path, MOST_KEPT, idle_ms=1) as yard:
        made = processes() - before
        assert len(made) == MOST_KEPT
        sources = {(await yard.one(number))["source"] for number in range(MOST_KEPT)}
        assert sources == made == processes() - before
    assert processes() == before


async def test_of_many_sets_each_starts_with_its_first_run_and_knows_its_own_variables_only(tmp_path):
    before = processes()
    async with running(tmp_path, MANY) as yard:
        assert processes() == before
        seen = await yard.one(3)
        assert [name for name in seen["names"] if name.startswith("OF_")] == ["OF_3"]
        assert processes() - before == {seen["source"]}
        assert (await yard.one(3))["source"] == seen["source"]
        assert (await yard.one(4))["source"] != seen["source"]
    assert processes() == before


async def test_of_many_sets_one_that_nobody_uses_ends_and_comes_back(tmp_path):
    async with running(tmp_path, MANY, idle_ms=20) as yard:
        first = (await yard.one(0))["source"]
        await until_gone(first)
        assert (await yard.one(0))["source"] != first


async def test_a_run_keeps_its_set_however_long_it_takes(tmp_path):
    async with running(tmp_path, MANY, idle_ms=1) as yard:
        gate, seen = tmp_path / "gate", Seen()
        long = yard.begin(0, seen, gate=str(gate))
        await seen.under_way()
        source = (await yard.one(0))["source"]
        assert (await yard.one(0))["source"] == source  # each of which was the last but one
        gate.touch()
        assert result(await asyncio.wait_for(long, PATIENCE))["source"] == source
        await until_gone(source)


async def test_runs_that_come_while_a_set_ends_or_starts_share_one_process_and_all_succeed(tmp_path):
    async with running(tmp_path, MANY, idle_ms=0) as yard:
        for _ in range(10):
            runs = [yard.begin(0) for _ in range(4)]
            done = await asyncio.wait_for(asyncio.gather(*runs), PATIENCE)
            assert all(outcome.kind is Kind.SUCCEEDED for outcome in done), done


async def test_a_set_that_cannot_start_fails_its_own_runs_with_the_reason_and_no_other(tmp_path):
    async with running(tmp_path, MANY) as yard:
        (tmp_path / "job_0.py").write_text(LETHAL)
        for _ in range(2):
            done = await asyncio.wait_for(yard.begin(0), PATIENCE)
            assert done.kind is Kind.CRASHED
            assert "while it imported" in (done.error or "")
        assert (await yard.one(1))["version"] == 1
        yard.write(2)
        assert (await yard.one(0))["version"] == 2


async def test_a_run_that_is_cancelled_before_its_process_is_up_does_not_stop_it_for_the_next(tmp_path):
    before = processes()
    async with running(tmp_path, MANY) as yard:
        run = yard.begin(0)
        async with asyncio.timeout(PATIENCE):
            while not processes() - before:
                await asyncio.sleep(0)
        (started,) = processes() - before
        run.cancel()
        await asyncio.wait({run}, timeout=PATIENCE)
        assert run.cancelled()
        assert (await yard.one(0))["source"] == started


async def test_a_runner_that_stops_while_a_set_starts_leaves_nothing(tmp_path):
    before = processes()
    async with running(tmp_path, MANY) as yard:
        run = yard.begin(0)
        async with asyncio.timeout(PATIENCE):
            while not processes() - before:
                await asyncio.sleep(0)
    assert processes() == before
    assert (await asyncio.wait_for(run, PATIENCE)).kind is Kind.CRASHED


@pytest.mark.parametrize("count", [1, MANY])
async def test_after_a_reload_runs_begin_on_the_new_code_and_those_under_way_end_on_the_old(tmp_path, count):
    before = processes()
    async with running(tmp_path, count) as yard:
        gate, seen = tmp_path / "gate", Seen()
        old = yard.begin(0, seen, gate=str(gate))
        await seen.under_way()
        await yard.reload(2)
        assert len(processes() - before) == 2  # of a set in use the next one is there before the first run
        assert len(yard.runner.slots()) == 1
        assert (await yard.one(0))["version"] == 2
        gate.touch()
        ended = result(await asyncio.wait_for(old, PATIENCE))
        assert ended["version"] == 1
        await until_gone(ended["source"])
        assert (await yard.one(0))["version"] == 2


async def test_a_reload_whose_process_does_not_start_is_refused_and_leaves_everything_as_it_was(tmp_path):
    before = processes()
    async with running(tmp_path, 2) as yard:
        made = processes() - before
        (tmp_path / "job_1.py").write_text(LETHAL)
        with pytest.raises(SlotError, match="while it imported"):
            await yard.runner.prepare(yard.jobs(), yard.make)
        assert processes() - before == made
        for number in range(2):
            assert (await yard.one(number))["version"] == 1


async def test_a_runner_that_stops_ends_the_runs_of_the_code_before_too(tmp_path):
    async with running(tmp_path, 2) as yard:
        seen = Seen()
        old = yard.begin(0, seen, gate="/never")
        await seen.under_way()
        await yard.reload(2)
    assert (await asyncio.wait_for(old, PATIENCE)).kind is Kind.CRASHED


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("count", [2, MANY])
async def test_reloads_under_load_lose_nothing_never_go_back_and_leave_nothing(tmp_path, count):
    async with running(tmp_path, count, idle_ms=50) as yard:
        marks = []
        for version in range(2, 14):
            begun = [(version - 1, yard.begin(number % count)) for number in range(2 * count)]
            await yard.reload(version)
            begun += [(version, yard.begin(number % count)) for number in range(2 * count)]
            for least, run in begun:
                assert result(await asyncio.wait_for(run, PATIENCE))["version"] >= least
            if version in (3, 13):
                async with asyncio.timeout(PATIENCE):
                    while yard.runner._left:
                        await asyncio.sleep(0.01)
                marks.append((len(processes()), len(os.listdir("/proc/self/fd"))))
        (few, open_then), (many, open_now) = marks
        assert many <= max(few, count)
        assert open_now <= open_then + 5 * count
