"""The line with a runner that takes runs ahead, and with what it holds unstarted."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from netscript_workers.authoring.loading import HandlerRef
from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import NewExecution, Status
from netscript_workers.domain.target import Concept, RunnerMode
from netscript_workers.runners.fleet import build_runners
from support.line import Line, target


async def test_an_unstarted_attempt_whose_claim_is_lost_is_dropped_and_records_nothing():
    line = Line(default=1)
    gate = asyncio.Event()

    @line.job("slow")
    async def slow(_execution, _observer):
        await gate.wait()
        return outcomes.succeeded(b"1")

    async with line:
        line.worker.lanes._by_topic["default"].mean_ms = 1.0  # runs were short so far: it looks ahead
        first, *others = await line.enqueue("slow", 3)
        await line.until(lambda: line.worker.lanes.held == 2)
        lost = next(a for a in line.leases.attempts if a.execution.id == others[0])
        line.leases.lose_unstarted(lost)
        assert line.worker.lanes.held == 1
        assert [a.execution.id for a in line.leases.attempts] == [first, others[1]]
        gate.set()
        await line.ended(first, others[1])
        assert (await line.record(others[0])).status is Status.RUNNING  # as whoever holds its claim left it
        assert others[0] not in line.runner.starts


CROWD = """
import os, time

def crowd(ctx):
    own = os.path.join(ctx.payload["dir"], "now-" + ctx.id)
    open(own, "w").close()
    present = [name for name in os.listdir(ctx.payload["dir"]) if name.startswith("now-")]
    if len(present) > ctx.payload["limit"]:
        open(os.path.join(ctx.payload["dir"], "crowded"), "w").write(repr(present))
    time.sleep(ctx.payload["seconds"])
    os.unlink(own)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="slots are handed runs ahead on Linux only")
@pytest.mark.parametrize(("limit", "memory"), [(1, None), (2, None), (2, 500)])
async def test_a_long_run_among_short_ones_holds_up_no_other_slot_and_no_limit_is_exceeded(
    tmp_path: Path, limit: int, memory: int | None
):
    (tmp_path / "crowd.py").write_text(CROWD)
    handlers = [HandlerRef("crowd", str(tmp_path / "crowd.py"), "crowd")]
    mode = RunnerMode.WEB_WORKER
    runner = build_runners(modes={mode}, handlers=handlers, root=str(tmp_path), max_slot_memory_mb=memory)[
        mode
    ]
    line = Line(default=limit, runners={mode: runner})
    line.targets["crowd"] = target("crowd", runtime=mode)

    def run(number: int, seconds: float, padding: int = 0) -> NewExecution:
        payload = {"dir": str(tmp_path), "limit": limit, "seconds": seconds, "padding": "x" * padding}
        return NewExecution(
            id=f"run-{number:03}", concept=Concept.JOB, target="crowd", payload=json.dumps(payload).encode()
        )

    await runner.start()
    try:
        async with line:
            warm = [run(number, 0.0) for number in range(40)]
            long_one = run(40, 2.0)
            others = [run(number, 0.001, 100_000 if number % 5 == 0 else 0) for number in range(41, 80)]
            await line.engine.enqueue_many([*warm, long_one, *others])
            records = await line.ended(*(one.id for one in (*warm, long_one, *others)))
    finally:
        await runner.stop(2_000)
    assert [record.status for record in records] == [Status.COMPLETED] * 80
    assert not (tmp_path / "crowded").exists()
    if limit > 1:
        ends = {record.id: record.completed_at or 0 for record in records}
        assert max(ends[one.id] for one in others) <= ends[long_one.id]
