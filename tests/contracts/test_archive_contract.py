"""What every archive promises, whatever the store."""

import msgspec
import pytest

from contracts.archives import finished
from contracts.engines import DAY_MS
from netscript_workers.domain.execution import Status
from netscript_workers.ports.history import HistoryQuery
from netscript_workers.ports.queue_admin import DeadFilter


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.TIMEOUT, Status.CANCELLED])
async def test_what_is_put_is_read_back_whole(archive, another_archive, clock, status):
    record = finished(clock, status)
    await archive.put_many([record])
    assert await another_archive.read_many([record.execution.id, "nobody"]) == [record]
    assert await another_archive.get_many(["nobody", record.execution.id]) == [None, record.execution]
    assert await another_archive.attempts(record.execution.id) == list(record.attempts)
    assert await another_archive.logs(record.execution.id) == list(record.lines)
    assert await another_archive.logs(record.execution.id, after=3) == [record.lines[1]]


async def test_a_record_with_nothing_but_its_own_row_is_kept(archive, clock):
    bare = msgspec.structs.replace(
        finished(
            clock,
            Status.CANCELLED,
            attempt=0,
            started_at=None,
            worker_id=None,
            correlation_id=None,
            idempotency_key=None,
            progress=None,
        ),
        attempts=(),
        lines=(),
    )
    await archive.put_many([bare])
    assert await archive.read_many([bare.execution.id]) == [bare]


async def test_an_unknown_one_has_nothing(archive):
    assert await archive.read_many(["nobody"]) == []
    assert await archive.get_many([]) == []
    assert await archive.attempts("nobody") == []
    assert await archive.logs("nobody") == []
    assert await archive.drop_many(["nobody"]) == 0
    assert await archive.find(HistoryQuery()) == []
    await archive.put_many([])


async def test_what_is_put_twice_is_there_once(archive, clock):
    record = finished(clock, Status.FAILED)
    await archive.put_many([record, record])
    changed = finished(clock, Status.COMPLETED, id=record.execution.id)
    await archive.put_many([changed])
    assert await archive.read_many([record.execution.id]) == [changed]
    assert await archive.find(HistoryQuery()) == [changed.execution]
    assert await archive.count_dead() == 0


async def test_a_dropped_one_leaves_nothing(archive, another_archive, clock):
    records = [finished(clock) for _ in range(3)]
    await archive.put_many(records)
    ids = [record.execution.id for record in records]
    assert await another_archive.drop_many(ids[:2]) == 2
    assert await archive.get_many(ids) == [None, None, records[2].execution]
    assert await archive.attempts(ids[0]) == []
    assert await archive.logs(ids[0]) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (HistoryQuery(), [4, 3, 2, 1, 0]),
        (HistoryQuery(limit=2), [4, 3]),
        (HistoryQuery(limit=0), []),
        (HistoryQuery(limit=None), [4, 3, 2, 1, 0]),
        (HistoryQuery(target="a"), [2, 0]),
        (HistoryQuery(topic="x"), [1, 0]),
        (HistoryQuery(correlation_id="d"), [3]),
        (HistoryQuery(status=Status.FAILED), [1]),
        (HistoryQuery(status=Status.COMPLETED), [4, 2, 0]),
        (HistoryQuery(status=Status.RUNNING), []),
        (HistoryQuery(target="a", topic="x", correlation_id="c", status=Status.COMPLETED), [0]),
        (HistoryQuery(target="b", topic="x", status=Status.COMPLETED), []),
    ],
)
async def test_records_are_found_by_every_field_newest_first(archive, clock, query, expected):
    records = [
        finished(clock, age_ms=9000, target="a", topic="x"),
        finished(clock, Status.FAILED, age_ms=8000, target="b", topic="x"),
        finished(clock, age_ms=7000, target="a"),
        finished(clock, Status.TIMEOUT, age_ms=6000, target="b", correlation_id="d"),
        finished(clock, age_ms=5000, target="b"),
    ]
    for some in (records[3:], records[:1], records[1:3]):  # in whichever order they come
        await archive.put_many(some)
    found = await archive.find(query)
    assert found == [records[n].execution for n in expected]


async def test_those_triggered_in_one_moment_keep_the_order_they_came_in(archive, clock):
    records = [finished(clock) for _ in range(5)]
    await archive.put_many(records[:3])
    await archive.put_many(records[3:])
    assert await archive.find(HistoryQuery()) == [record.execution for record in reversed(records)]


async def test_dead_letters_are_told_the_latest_failure_first(archive, clock):
    old = finished(clock, Status.FAILED, age_ms=9000, target="a", topic="x")
    late = finished(clock, Status.TIMEOUT, age_ms=1000, target="b", topic="x")
    middle = finished(clock, Status.FAILED, age_ms=5000, target="b")
    await archive.put_many([late, old, middle, finished(clock), finished(clock, Status.CANCELLED)])
    dead = [one.execution for one in (late, middle, old)]
    assert await archive.count_dead() == 3
    assert await archive.find_dead(DeadFilter(), None) == dead
    assert await archive.find_dead(DeadFilter(), 2) == dead[:2]
    assert await archive.find_dead(DeadFilter(target="b"), 10) == dead[:2]
    assert await archive.find_dead(DeadFilter(topic="x"), 10) == [dead[0], dead[2]]
    assert await archive.find_dead(DeadFilter(ids=(dead[2].id, "nobody")), 10) == [dead[2]]
    assert await archive.find_dead(DeadFilter(ids=(dead[2].id,), target="b"), 10) == []


async def test_what_is_past_its_age_is_deleted_in_batches(archive, another_archive, clock):
    records = [finished(clock, Status.FAILED) for _ in range(3)]
    young = finished(clock, age_ms=-DAY_MS)
    await archive.put_many([*records, young])
    assert await archive.drop_due(10) == 0
    clock.move(37 * DAY_MS)
    assert [await another_archive.drop_due(2) for _ in range(3)] == [2, 1, 0]
    assert await archive.find(HistoryQuery()) == [young.execution]
    assert await archive.attempts(records[0].execution.id) == []


async def test_what_is_kept_is_there_after_a_restart(archive, clock):
    record = finished(clock)
    await archive.put_many([record])
    await archive.close()
    await archive.close()
    await archive.open()
    assert await archive.read_many([record.execution.id]) == [record]


async def test_five_hundred_records_with_lines_go_in_one_batch(archive, clock):
    records = [finished(clock, Status.FAILED) for _ in range(500)]
    await archive.put_many(records)
    found = await archive.read_many([record.execution.id for record in records])
    assert sorted(found, key=lambda record: record.execution.id) == records
