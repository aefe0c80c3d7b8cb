"""A reload in every runner mode: what runs ends on the code it began with, what begins is of the new code, nothing stays."""

import asyncio
import gc
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.runners import PATIENCE, Seen, execution, target, until_gone
from netscript_workers.authoring.loading import HandlerRef, forget_modules
from netscript_workers.domain.outcome import Kind, Outcome
from netscript_workers.domain.target import RunnerMode
from netscript_workers.errors import SlotError
from netscript_workers.processes.tree import children_of
from netscript_workers.runners.fleet import Fleet, FleetPlan

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="slots of their own need Linux or macOS")

JOB = """
import asyncio, os, time
from _helper import word

async def job(ctx):
    ctx.log.info("under way")
    while ctx.payload.get("gate") and not os.path.exists(ctx.payload["gate"]):
        await asyncio.sleep(0.01)
    return {{"version": {version}, "word": word, "pid": os.getpid()}}
"""


class Yard:
    """A fleet of one mode on a job that changes."""

    def __init__(self, folder: Path, mode: RunnerMode) -> None:
        self.folder = folder
        self.mode = mode
        self.version = 0
        self.write()
        self.fleet = Fleet(self.plan())

    def write(self) -> None:
        self.version += 1
        (self.folder / "job.py").write_text(JOB.format(version=self.version))
        # Always of one length: cached bytecode would be told by its second alone.
        (self.folder / "_helper.py").write_text(f"word = {self.version:04d}.0\n")
        os.utime(self.folder / "_helper.py", (time.time(), self.version * 10))

    def plan(self, *modes: RunnerMode, **more: object) -> FleetPlan:
        handlers = [HandlerRef("job", str(self.folder / "job.py"), "job")]
        return FleetPlan(modes={self.mode, *modes}, handlers=handlers, root=str(self.folder), **more)

    async def reload(self, *modes: RunnerMode, **more: object) -> None:
        self.write()
        self.fleet.renew(await self.fleet.prepare(self.plan(*modes, **more)))

    def begin(self, payload: object = None, seen: Seen | None = None, mode: RunnerMode | None = None):
        deadline = time.time_ns() // 1_000_000 + 60_000
        runner = self.fleet.runners[mode or self.mode]
        return asyncio.ensure_future(
            runner.run(execution("job", payload), target("job"), deadline, seen or Seen())
        )

    async def one(self, **more: object) -> dict:
        return result(await asyncio.wait_for(self.begin(**more), PATIENCE))

    async def left_alone(self) -> None:
        """Wait until nothing of the code before is left."""
        async with asyncio.timeout(PATIENCE):
            while self.fleet._retiring:
                await asyncio.sleep(0.01)


def result(outcome: Outcome) -> dict:
    assert outcome.kind is Kind.SUCCEEDED, outcome
    return json.loads(outcome.result or b"")


@pytest.fixture(params=list(RunnerMode))
async def yard(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Yard]:
    yard = Yard(tmp_path, request.param)
    await yard.fleet.start()
    try:
        yield yard
    finally:
        await yard.fleet.stop(2_000)
        forget_modules(str(tmp_path))


async def test_a_run_under_way_ends_on_the_old_code_and_the_next_ones_run_on_the_new(
    yard: Yard, tmp_path: Path
):
    assert (await yard.one())["version"] == 1
    gate, seen = tmp_path / "gate", Seen()
    old = yard.begin({"gate": str(gate)}, seen)
    await seen.under_way()
    await yard.reload()
    for _ in range(3):
        fresh = await yard.one()
        assert (fresh["version"], fresh["word"]) == (2, 2.0)
    gate.touch()
    ended = result(await asyncio.wait_for(old, PATIENCE))
    assert (ended["version"], ended["word"]) == (1, 1.0)
    await yard.left_alone()
    if yard.mode is not RunnerMode.IN_PROCESS:
        await until_gone(ended["pid"])


async def test_reloads_under_load_lose_nothing_run_nothing_twice_and_never_go_back(yard: Yard):
    begun: list[tuple[int, asyncio.Future[Outcome]]] = []
    for _ in range(4):
        for _ in range(8):
            begun.append((yard.version, yard.begin()))
            await asyncio.sleep(0.002)
        await yard.reload()
    outcomes = await asyncio.wait_for(asyncio.gather(*(task for _, task in begun)), PATIENCE)
    for (version, _), outcome in zip(begun, outcomes, strict=True):
        assert result(outcome)["version"] >= version
    assert (await yard.one())["version"] == 5


async def test_a_cancelled_run_of_the_old_code_ends_and_so_does_its_slot(yard: Yard):
    seen = Seen()
    old = yard.begin({"gate": "/never"}, seen)
    await seen.under_way()
    await yard.reload()
    old.cancel()
    await asyncio.wait({old}, timeout=PATIENCE)
    assert old.cancelled()
    await yard.left_alone()
    assert (await yard.one())["version"] == 2


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_fifty_reloads_leave_no_process_no_descriptor_and_no_memory(yard: Yard):
    marks = []
    for round_ in range(50):
        runs = [yard.begin() for _ in range(3)]
        await yard.reload()
        await asyncio.wait_for(asyncio.gather(*runs), PATIENCE)
        if round_ in (4, 49):
            await yard.left_alone()
            assert (await yard.one())["version"] == yard.version
            gc.collect()
            marks.append((len(children_of(os.getpid())), len(os.listdir("/proc/self/fd")), resident()))
    (processes, descriptors, memory), after = marks
    assert after[0] <= processes
    assert after[1] <= descriptors + 10  # a slot's own five, and one that is on its way out
    assert (
        after[2] < memory + 20 * 1024
    )  # KiB; a module that stayed each time would be seen in the modules below
    named = [name for name in sys.modules if name.startswith("_netscript_workers_job_job")]
    assert len(named) <= 1


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4


async def test_a_mode_that_a_reload_brings_is_there_and_has_the_new_code(yard: Yard):
    assert (await yard.one())["version"] == 1
    await yard.reload(*RunnerMode)
    for mode in RunnerMode:
        assert (await yard.one(mode=mode))["version"] == 2
    await yard.reload()
    for mode in RunnerMode:
        assert (await yard.one(mode=mode))["version"] == 3


@pytest.fixture(params=[RunnerMode.WEB_WORKER, RunnerMode.SUBPROCESS])
async def isolated(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Yard]:
    yard = Yard(tmp_path, request.param)
    await yard.fleet.start()
    try:
        yield yard
    finally:
        await yard.fleet.stop(2_000)


async def test_a_new_zygote_that_is_killed_at_its_start_leaves_everything_as_it_was(
    isolated: Yard, tmp_path: Path
):
    isolated.write()
    (tmp_path / "job.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    with pytest.raises(SlotError, match="while it imported"):
        await isolated.fleet.prepare(isolated.plan())
    assert (await isolated.one())["version"] == 1


async def test_a_new_zygote_killed_right_after_it_took_over_is_replaced_by_one_of_the_new_code(
    isolated: Yard,
):
    await isolated.reload()
    os.kill(isolated.fleet._source.zygote_pid, signal.SIGKILL)
    async with asyncio.timeout(PATIENCE):
        while (outcome := await isolated.begin()).kind is Kind.CRASHED:
            continue
    assert result(outcome)["version"] == 2


async def test_an_old_zygote_that_dies_fails_its_runs_and_is_not_replaced(isolated: Yard):
    seen = Seen()
    old = isolated.begin({"gate": "/never"}, seen)
    await seen.under_way()
    source = isolated.fleet._source
    await isolated.reload()
    os.kill(source.zygote_pid, signal.SIGKILL)
    assert (await asyncio.wait_for(old, PATIENCE)).kind is Kind.CRASHED
    await isolated.left_alone()
    assert source.zygote_pid == 0
    assert (await isolated.one())["version"] == 2


async def test_a_run_that_waits_for_a_slot_of_a_zygote_that_is_gone_gets_one_of_the_new_one(
    isolated: Yard, monkeypatch: pytest.MonkeyPatch
):
    async def never_again(*_args: object) -> None:
        await asyncio.Event().wait()

    source = isolated.fleet._source
    monkeypatch.setattr(source, "_launch", never_again)
    os.kill(source.zygote_pid, signal.SIGKILL)
    async with asyncio.timeout(PATIENCE):
        while source.zygote_pid:
            await asyncio.sleep(0.01)
    waiting = isolated.begin()
    await asyncio.sleep(0)
    await isolated.reload()
    assert result(await asyncio.wait_for(waiting, PATIENCE))["version"] == 2


async def test_an_abandoned_renewal_leaves_no_process(isolated: Yard):
    before = children_of(os.getpid())
    renewal = await isolated.fleet.prepare(isolated.plan())
    assert len(children_of(os.getpid())) == len(before) + 1
    await isolated.fleet.abandon(renewal)
    assert children_of(os.getpid()) == before
    assert (await isolated.one())["version"] == 1


async def test_a_fleet_that_stops_while_old_runs_go_on_ends_them_too(tmp_path: Path):
    yard = Yard(tmp_path, RunnerMode.WEB_WORKER)
    await yard.fleet.start()
    seen = Seen()
    old = yard.begin({"gate": "/never"}, seen)
    await seen.under_way()
    await yard.reload()
    await yard.fleet.stop(2_000)
    assert (await asyncio.wait_for(old, PATIENCE)).kind is Kind.CRASHED
    assert not yard.fleet._retiring
