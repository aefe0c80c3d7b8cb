"""An archive that is reached when somebody first asks it something."""

import asyncio

import pytest

from contracts.archives import finished
from contracts.engines import Clock, claim, ending, new, put
from netscript_workers.domain.ids import IdFactory
from netscript_workers.engines.archived import ArchivedEngine, OnDemand
from netscript_workers.engines.deno_kv import DenoKvEngine, SqliteArchive
from netscript_workers.errors import EngineFormatError, EngineUnavailableError
from netscript_workers.ports.history import HistoryQuery
from netscript_workers.ports.queue_admin import DeadFilter


async def test_who_enqueues_makes_no_archive(tmp_path):
    clock = Clock()
    file = tmp_path / "archive.db"
    archive = OnDemand(SqliteArchive(file, "jobs", clock))
    engine = ArchivedEngine(DenoKvEngine(tmp_path / "queue.db", "jobs", clock), archive, clock)
    await engine.open()
    fresh = IdFactory().new(clock.now)
    await put(engine, new(id=fresh))
    (execution,) = await claim(engine)
    await engine.settle_many([ending(execution, now=clock.now)])
    assert await engine.wait_for_end([fresh], 1_000) == await engine.get_many([fresh])
    assert await engine.retry_many([fresh]) == [True]
    assert not file.exists()
    one, two = await asyncio.gather(engine.find(HistoryQuery()), engine.find(HistoryQuery()))
    assert [record.id for record in one] == [record.id for record in two] == [fresh]
    assert file.exists()
    await engine.erase()
    await engine.close()
    await engine.close()


async def test_a_probe_makes_no_archive(tmp_path):
    archive = SqliteArchive(tmp_path / "archive.db")
    await ArchivedEngine(DenoKvEngine(tmp_path / "queue.db"), archive).probe()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "archive.db").write_text("no database at all, but long enough to be looked at" * 40)
    with pytest.raises(EngineFormatError):
        await ArchivedEngine(DenoKvEngine(tmp_path / "queue.db"), archive).probe()


async def test_every_question_is_handed_on(tmp_path):
    clock = Clock()
    archive = OnDemand(SqliteArchive(tmp_path / "archive.db", "jobs", clock))
    await archive.open()
    record = finished(clock)
    one = record.execution.id
    await archive.put_many([record])
    assert await archive.read_many([one]) == [record]
    assert await archive.get_many([one]) == [record.execution]
    assert await archive.find(HistoryQuery()) == [record.execution]
    assert await archive.find_dead(DeadFilter(), None) == []
    assert await archive.count_dead() == 0
    assert await archive.attempts(one) == list(record.attempts)
    assert await archive.logs(one) == list(record.lines)
    assert await archive.drop_due(10) == 0
    assert await archive.drop_many([one]) == 1
    await archive.close()


async def test_one_that_cannot_be_reached_is_tried_again_at_the_next_question(tmp_path):
    (tmp_path / "place").write_text("a file where a directory should be")
    archive = OnDemand(SqliteArchive(tmp_path / "place" / "archive.db"))
    await archive.open()
    for _ in range(2):
        with pytest.raises(EngineUnavailableError):
            await archive.count_dead()
    (tmp_path / "place").unlink()
    assert await archive.count_dead() == 0
    await archive.close()
