"""An archived record is found and run again whatever time its id names: who made the id, or who asks, had another clock."""

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from contracts.engines import DAY_MS, Clock, claimed_ids, new, put, run
from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import Enqueued, Status
from netscript_workers.domain.ids import IdFactory
from netscript_workers.engines.archived import ArchivedEngine
from netscript_workers.engines.deno_kv import DenoKvEngine, SqliteArchive
from netscript_workers.ports.history import HistoryQuery, Swept
from netscript_workers.ports.queue_admin import Cancelled, DeadFilter

BOOM = outcomes.failed("boom")
BOUND_S = 20
HOUR_MS = DAY_MS // 24
# How far the clock that made an id was from the stores' clock, and how far the reader's is.
ODD = pytest.mark.parametrize(
    ("maker_ms", "reader_ms"),
    [
        (10 * DAY_MS, 0),
        (8 * DAY_MS, 0),
        (9 * DAY_MS, -DAY_MS),
        (0, -8 * DAY_MS),
        (0, -30 * DAY_MS),
        (-90 * DAY_MS, 0),
        (0, 0),
    ],
    ids=[
        "far ahead",
        "made just now by now",
        "both odd",
        "reader back then",
        "reader before",
        "long ago",
        "right",
    ],
)


@asynccontextmanager
async def opened(folder: Path, clock: Clock, reader_ms: int = 0):
    live = DenoKvEngine(folder / "queue.db", "jobs", clock)
    archive = SqliteArchive(folder / "archive.db", "jobs", clock)
    engine = ArchivedEngine(live, archive, lambda: clock.now + reader_ms)
    await engine.open()
    try:
        async with asyncio.timeout(BOUND_S):
            yield engine
    finally:
        await engine.close()


async def archived_one(engine: ArchivedEngine, clock: Clock, maker_ms: int):
    """Run one to its failure under an id of an odd clock, and archive it."""
    record = await run(engine, BOOM, now=clock.now, id=IdFactory().new(clock.now + maker_ms))
    clock.move(8 * DAY_MS)
    assert await engine.sweep(10) == Swept(1, 0)
    return record


@ODD
async def test_what_rests_can_be_read(tmp_path, maker_ms, reader_ms):
    clock = Clock()
    async with opened(tmp_path, clock, reader_ms) as engine:
        record = await archived_one(engine, clock, maker_ms)
        assert await engine.get_many([record.id]) == [record]
        assert await engine.find(HistoryQuery()) == [record]
        assert len(await engine.attempts(record.id)) == 1
        assert await engine.logs(record.id) == []
        assert await engine.wait_for_end([record.id], 0) == [record]
        assert await engine.cancel_many([record.id]) == [Cancelled(record.id, Status.FAILED)]


@ODD
async def test_a_dead_letter_that_rests_can_be_run_again(tmp_path, maker_ms, reader_ms):
    clock = Clock()
    async with opened(tmp_path, clock, reader_ms) as engine:
        record = await archived_one(engine, clock, maker_ms)
        assert await engine.requeue_dead(DeadFilter()) == 1
        assert await claimed_ids(engine) == [record.id]
        assert await engine.count_dead() == 0


@ODD
async def test_what_rests_can_be_retried_by_its_id(tmp_path, maker_ms, reader_ms):
    clock = Clock()
    async with opened(tmp_path, clock, reader_ms) as engine:
        record = await archived_one(engine, clock, maker_ms)
        assert await engine.retry_many([record.id]) == [True]
        assert await claimed_ids(engine) == [record.id]
        assert await engine._archive.count_dead() == 0


@ODD
async def test_a_dead_letter_that_rests_can_be_purged(tmp_path, maker_ms, reader_ms):
    clock = Clock()
    async with opened(tmp_path, clock, reader_ms) as engine:
        await archived_one(engine, clock, maker_ms)
        assert await engine.purge_dead(DeadFilter()) == 1
        assert await engine.find(HistoryQuery()) == []


@ODD
async def test_what_waits_for_its_retry_is_kept_by_the_clock_of_the_store(tmp_path, maker_ms, reader_ms):
    clock = Clock()
    async with opened(tmp_path, clock, reader_ms) as engine:
        record = await archived_one(engine, clock, maker_ms)
        retry = engine._live.retry_many

        async def after_a_sweep(ids):
            assert await engine.sweep(10) == Swept(0, 0)
            return await retry(ids)

        engine._live.retry_many = after_a_sweep
        assert await engine.retry_many([record.id]) == [True]
        assert await claimed_ids(engine) == [record.id]


@pytest.mark.parametrize("maker_ms", [10 * DAY_MS, -DAY_MS, 8 * DAY_MS + 13 * HOUR_MS])
async def test_what_rests_is_not_taken_in_again_unless_its_id_looks_just_made(tmp_path, maker_ms):
    clock = Clock()
    async with opened(tmp_path, clock) as engine:
        record = await archived_one(engine, clock, maker_ms)
        assert await engine.enqueue_many([new(id=record.id)]) == [Enqueued(record.id, deduplicated=True)]
        assert await claimed_ids(engine) == []


@pytest.mark.parametrize("verb", ["requeue_dead", "purge_dead"])
async def test_a_record_that_will_not_leave_the_archive_ends_the_work(tmp_path, verb):
    clock = Clock()
    async with opened(tmp_path, clock) as engine:
        await archived_one(engine, clock, 0)

        async def keep_all(ids):
            return 0

        engine._archive.drop_many = keep_all
        assert await getattr(engine, verb)(DeadFilter()) == 1


async def test_one_archived_in_the_middle_of_its_second_enqueue_does_not_run_again(tmp_path):
    clock = Clock()
    async with opened(tmp_path, clock) as engine:
        record = await run(engine, now=clock.now, id=IdFactory().new(clock.now))
        clock.move(8 * DAY_MS)
        asked = engine._archive.get_many

        async def swept_after_the_question(ids):
            answer = await asked(ids)
            await engine.sweep(10)
            return answer

        engine._archive.get_many = swept_after_the_question
        for _ in range(2):
            answers = await engine.enqueue_many(
                [new(id=record.id), new(id=IdFactory().new(clock.now - DAY_MS))]
            )
            assert answers[0] == Enqueued(record.id, deduplicated=True)
        assert record.id not in await claimed_ids(engine)
        assert await engine.get_many([record.id]) == [record]


async def test_an_old_id_that_still_waits_is_told_by_the_live_store(tmp_path):
    clock = Clock()
    async with opened(tmp_path, clock) as engine:
        old = IdFactory().new(clock.now - DAY_MS)
        assert await put(engine, new(id=old)) == [old]
        assert await engine.enqueue_many([new(id=old)]) == [Enqueued(old, deduplicated=True)]
        assert await claimed_ids(engine) == [old]
