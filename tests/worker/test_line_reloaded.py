"""The line with warm slots that hold runs ahead, reloaded: what has not begun does not begin on the old code."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from netscript_workers.authoring.loading import HandlerRef
from netscript_workers.domain.execution import Status
from netscript_workers.domain.pool import Lane, Pool
from netscript_workers.domain.target import RunnerMode
from netscript_workers.runners.fleet import Fleet, FleetPlan
from support.line import Line

SLOTS = 2
JOB = "def job(ctx):\n    return {version}\n"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="slots are handed runs ahead on Linux only")


def plan(folder: Path, version: int, **more: object) -> FleetPlan:
    (folder / "job.py").write_text(JOB.format(version=version))
    handlers = [HandlerRef("job", str(folder / "job.py"), "job")]
    return FleetPlan(modes={RunnerMode.WEB_WORKER}, handlers=handlers, root=str(folder), **more)


async def test_runs_handed_to_busy_slots_ahead_are_withdrawn_and_run_on_the_new_code(tmp_path: Path):
    fleet = Fleet(plan(tmp_path, 1))
    line = Line(default=SLOTS, runners=fleet.runners)
    line.job("job", runtime=RunnerMode.WEB_WORKER)(None)
    await fleet.start()
    try:
        async with line:
            ids = await line.enqueue("job", 6_000)
            for version in range(2, 6):
                renewal = await fleet.prepare(plan(tmp_path, version))
                await line.until(lambda: line.worker.lanes.following > 0)  # slots hold some in their hands
                begun = {one.execution.id for one in line.leases.attempts if one.started_at is not None}
                line.worker.give_back_unstarted()
                fleet.renew(renewal)
                line.worker.reconfigure(Pool(SLOTS, (Lane(("default",), SLOTS),), "test"))
                ahead = {one.execution.id for one in line.leases.attempts}
                assert ahead <= begun  # nothing is left in anybody's hands but what runs
                assert line.worker.lanes.following <= SLOTS  # what a slot has taken at this very moment
            ended = await line.ended(*ids)
            assert all(one.status is Status.COMPLETED and one.attempt == 1 for one in ended)
            versions = [json.loads(one.result or b"") for one in ended]
            assert set(versions) <= {1, 2, 3, 4, 5}
            assert 1 in versions
            assert 5 in versions
            by_start = [
                json.loads(one.result or b"") for one in sorted(ended, key=lambda one: one.started_at or 0)
            ]
            late_old = [
                (at, version)
                for at, version in enumerate(by_start)
                if version < max(by_start[: max(0, at - 4 * SLOTS)], default=0)
            ]
            assert late_old == []
    finally:
        await fleet.stop(2_000)


async def test_a_bound_on_memory_ends_the_handing_over_and_its_end_brings_it_back(tmp_path: Path):
    fleet = Fleet(plan(tmp_path, 1))
    line = Line(default=1, runners=fleet.runners)
    line.job("job", runtime=RunnerMode.WEB_WORKER)(None)
    await fleet.start()
    try:
        async with line:
            for memory in (1_000, None, 1_000):
                renewal = await fleet.prepare(plan(tmp_path, 2, max_slot_memory_mb=memory))
                line.worker.give_back_unstarted()
                fleet.renew(renewal)
                line.worker.reconfigure(Pool(1, (Lane(("default",), 1),), "test"))
                assert bool(line.worker._chaining) is (memory is None)
                await asyncio.wait_for(line.ended(*await line.enqueue("job", 50)), 30)
    finally:
        await fleet.stop(2_000)
