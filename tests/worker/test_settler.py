"""How settlements gather into batches."""

import asyncio

import pytest

from netscript_workers.domain.execution import Status
from netscript_workers.domain.settlement import Action, Settlement
from netscript_workers.engines.memory import MemoryEngine
from netscript_workers.worker import settler as module
from netscript_workers.worker.faults import Faults
from netscript_workers.worker.outage import Outages
from netscript_workers.worker.settler import Settler


class Recording(MemoryEngine):
    """An engine that remembers the batches it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[str]] = []

    async def settle_many(self, settlements):
        self.batches.append([one.execution_id for one in settlements])
        return [True] * len(settlements)


def ending(execution_id: str) -> Settlement:
    return Settlement(
        execution_id=execution_id,
        token=1,
        action=Action.COMPLETE,
        status=Status.COMPLETED,
        attempt=1,
        max_attempts=1,
        started_at=1,
    )


async def written(*, backlog: bool) -> list[list[str]]:
    """Put a, let it be written, then put b and c a few steps apart; return the batches."""
    engine = Recording()
    settler = Settler(engine, engine, Outages(), Faults())
    settler.more_soon = lambda: backlog
    await settler.start()
    for one in "abc":
        settler.put(ending(one))
        for _ in range(20):
            await asyncio.sleep(0)
    await settler.stop(20_000)
    return engine.batches


async def test_behind_a_backlog_settlements_gather_for_a_moment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "GATHER_MS", 500.0)
    assert await written(backlog=True) == [["a"], ["b", "c"]]


async def test_with_no_backlog_each_settlement_is_written_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "GATHER_MS", 60_000.0)
    assert await written(backlog=False) == [["a"], ["b"], ["c"]]
