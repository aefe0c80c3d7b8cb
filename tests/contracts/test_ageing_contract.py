"""What an engine gives to an archive outside its own store, whatever the engine."""

import msgspec

from contracts.archives import finished
from contracts.engines import DAY_MS, claim, claimed_ids, ending, new, put, run
from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import LogLine, Status
from netscript_workers.ports.history import HistoryQuery, JournalEntry
from netscript_workers.ports.queue_admin import DeadFilter

BOOM = outcomes.failed("boom")


async def test_what_is_past_its_live_age_is_given_whole_oldest_first(live, clock):
    (request,) = await put(live, new(target="a"))
    (execution,) = await claim(live)
    line = LogLine(1, "stdout", "INFO", "hello")
    await live.record_many([JournalEntry(execution_id=request, token=execution.token, lines=(line,))])
    await live.settle_many([ending(execution, BOOM, now=clock.now)])
    ended = clock.now
    clock.move(1000)
    second = await run(live, now=clock.now)
    await put(live)
    clock.move(7 * DAY_MS - 1000)
    (record,) = await live.aged(10)
    assert record.execution.id == request
    assert (record.archive_at, record.delete_at) == (ended + 7 * DAY_MS, ended + 37 * DAY_MS)
    assert list(record.attempts) == await live.attempts(request)
    assert list(record.lines) == await live.logs(request)
    assert (await live.get_many([request]))[0] == record.execution
    clock.move(1000)
    assert [one.execution.id for one in await live.aged(10)] == [request, second.id]
    assert [one.execution.id for one in await live.aged(1)] == [request]
    assert list((await live.aged(10))[1].attempts) == await live.attempts(second.id)


async def test_a_dropped_one_leaves_nothing(live, another_live, clock):
    records = [await run(live, BOOM, now=clock.now, idempotency_key="k") for _ in range(2)]
    clock.move(8 * DAY_MS)
    assert await another_live.drop_aged(await live.aged(10)) == 2
    assert await live.get_many([one.id for one in records]) == [None, None]
    assert await live.attempts(records[0].id) == []
    assert await live.find(HistoryQuery()) == []
    assert await live.count_dead() == 0
    assert await live.aged(10) == []


async def test_one_run_again_meanwhile_is_not_dropped(live, clock):
    record = await run(live, BOOM, now=clock.now)
    clock.move(8 * DAY_MS)
    aged = await live.aged(10)
    await live.retry_many([record.id])
    assert await live.drop_aged(aged) == 0
    assert await claimed_ids(live) == [record.id]


async def test_a_restored_one_stands_as_it_was(live, another_live, clock):
    for status in (Status.COMPLETED, Status.FAILED, Status.CANCELLED):
        record = finished(clock, status, age_ms=DAY_MS, idempotency_key=None)
        await live.restore([record])
        assert await another_live.get_many([record.execution.id]) == [record.execution]
        assert await live.attempts(record.execution.id) == list(record.attempts)
        assert await live.logs(record.execution.id) == list(record.lines)
        assert await live.find(HistoryQuery(status=status)) == [record.execution]
    assert await live.count_dead() == 1
    assert await claimed_ids(live) == []


async def test_a_restored_one_ages_by_its_own_times(live, clock):
    record = finished(clock, Status.FAILED)
    await live.restore([record])
    assert await live.aged(10) == []
    clock.move(7 * DAY_MS)
    assert await live.aged(10) == [record]
    assert await live.drop_aged([record]) == 1


async def test_a_restored_one_can_run_again(live, clock):
    record = finished(clock, Status.COMPLETED)
    await live.restore([record])
    assert await live.retry_many([record.execution.id]) == [True]
    (again,) = await claim(live)
    assert (again.id, again.attempt) == (record.execution.id, 1)
    assert [one.attempt for one in await live.attempts(again.id)] == [1, 2]
    assert await live.settle_many([ending(again, BOOM, now=clock.now)]) == [True]
    assert len(await live.attempts(again.id)) == 3


async def test_one_that_lives_is_left_alone_by_a_restore(live, clock):
    (waiting,) = await put(live)
    before = await live.get_many([waiting])
    await live.restore([finished(clock, id=waiting)])
    assert await live.get_many([waiting]) == before
    assert await live.attempts(waiting) == []


async def test_what_was_restored_since_is_not_dropped(live, clock):
    record = await run(live, BOOM, now=clock.now)
    clock.move(8 * DAY_MS)
    aged = await live.aged(10)
    await live.drop_aged(aged)
    later = [msgspec.structs.replace(one, archive_at=one.archive_at + 2 * DAY_MS) for one in aged]
    await live.restore(later)
    assert await live.drop_aged(aged) == 0
    assert (await live.get_many([record.id]))[0] == record


async def test_a_restored_one_is_kept_for_a_while_by_the_stores_own_clock(live, clock):
    record = finished(clock, Status.FAILED, age_ms=8 * DAY_MS)
    await live.restore([record], 60_000)
    clock.move(59_999)
    assert await live.aged(10) == []
    clock.move(1)
    (aged,) = await live.aged(10)
    assert aged.archive_at == clock.now
    assert (aged.execution, aged.delete_at) == (record.execution, record.delete_at)
    assert await live.drop_aged([aged]) == 1


async def test_what_was_restored_is_told_until_the_archive_has_let_go(live, another_live, clock):
    records = [finished(clock, Status.FAILED, age_ms=8 * DAY_MS) for _ in range(4)]
    ids = [record.execution.id for record in records]
    assert await live.restored(10) == []
    await live.restore(records, 60_000)
    assert sorted(await another_live.restored(10)) == ids
    assert len(await live.restored(2)) == 2
    assert await live.restored(10, 60_000) == [], "a sweep might be about to move them"
    await another_live.let_go([ids[0], "nobody"])
    await live.retry_many([ids[1]])
    assert await live.purge_dead(DeadFilter(ids=(ids[2],))) == 1
    assert sorted(await live.restored(10, 60_000)) == [ids[1]], "what waits to run is not moved"
    assert sorted(await live.restored(10)) == [ids[1], ids[3]]
    clock.move(60_000)
    assert await live.restored(10) == [ids[1]]
    await live.drop_aged(await live.aged(10))
    await live.let_go([ids[1]])
    assert await another_live.restored(10) == []
