"""The line with warm slots that hold runs ahead, reloaded: what has not begun does not begin on the old code."""

import asyncio
import json
import sys
import time
from pathlib import Path

import pytest

from netscript_workers.authoring.loading import HandlerRef
from netscript_workers.domain.execution import Status
from netscript_workers.domain.pool import Lane, Pool
from netscript_workers.domain.target import RunnerMode
from netscript_workers.runners.fleet import Fleet, FleetPlan
from support.line import Line

SLOTS = 2
JOB = "import time\n\ndef job(ctx):\n    return [{version}, time.monotonic_ns()]\n"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="slots are handed runs ahead on Linux only")


def plan(folder: Path, version: int, **more: object) -> FleetPlan:
    (folder / "job.py").write_text(JOB.format(version=version))
    handlers = [HandlerRef("job", str(folder / "job.py"), "job")]
    return FleetPlan(modes={RunnerMode.WEB_WORKER}, handlers=handlers, root=str(folder), **more)


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_runs_handed_to_busy_slots_ahead_are_withdrawn_and_run_on_the_new_code(tmp_path: Path):
    fleet = Fleet(plan(tmp_path, 1))
    line = Line(default=SLOTS, runners=fleet.runners)
    line.job("job", runtime=RunnerMode.WEB_WORKER)(None)
    await fleet.start()
    try:
        async with line:
            ids: list[str] = []
            exchanged: dict[int, int] = {}  # version → since when it is the one in force (ns)
            for version in range(2, 6):
                renewal = await fleet.prepare(plan(tmp_path, version))
                ids += await line.enqueue("job", 800)
                await line.until(lambda: line.worker.lanes.following > 0)  # slots hold some in their hands
                line.worker.give_back_unstarted()
                fleet.renew(renewal)
                line.worker.reconfigure(Pool(SLOTS, (Lane(("default",), SLOTS),), "test"))
                exchanged[version] = time.monotonic_ns()
            ids += await line.enqueue("job", 100)
            ended = [one for at in range(0, len(ids), 100) for one in await line.ended(*ids[at : at + 100])]
            assert all(one.status is Status.COMPLETED and one.attempt == 1 for one in ended)
            runs = [tuple(json.loads(one.result or b"")) for one in ended]
            assert {version for version, _ in runs} >= {1, 5}
            for version, since in exchanged.items():
                late = [begun for ran, begun in runs if ran < version and begun > since]
                assert len(late) <= SLOTS, version  # what a slot had taken up at this very moment
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
