"""What can be known of executions, whatever the engine: records, attempts, lines, progress, the archive."""

import asyncio

import pytest

from contracts.engines import BOUND_MS, DAY_MS, claim, claimed_ids, ending, new, put, run
from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import LogLine, Progress, Status
from netscript_workers.domain.outcome import Cause, Usage
from netscript_workers.ports.history import HistoryQuery, JournalEntry, Swept

BOOM = outcomes.failed("boom", usage=Usage(peak_memory=1024, cpu_ms=5))


def lines(start, count):
    return tuple(LogLine(n, "stdout", "INFO", f"line {n}") for n in range(start, start + count))


async def test_records_are_given_by_id_in_order(engine, another):
    a, b = await put(engine, new(), new())
    records = await another.get_many([b, "nobody", a])
    assert [record and record.id for record in records] == [b, None, a]
    assert await engine.get_many([]) == []


async def test_every_field_of_an_enqueued_one_is_kept(engine, clock):
    request = new(
        "mail",
        topic="t",
        payload=b'{"x":[1,"\\u0000"]}',
        priority=77,
        max_attempts=4,
        idempotency_key="k",
        correlation_id="c",
        traceparent="tp",
        tracestate="ts",
    )
    await put(engine, request)
    (record,) = await engine.get_many([request.id])
    for field in ("target", "topic", "payload", "priority", "max_attempts", "triggered_by", "concept"):
        assert getattr(record, field) == getattr(request, field)
    assert (record.idempotency_key, record.correlation_id) == ("k", "c")
    assert (record.traceparent, record.tracestate) == ("tp", "ts")
    assert (record.status, record.attempt, record.triggered_at) == (Status.QUEUED, 0, clock.now)


async def test_a_finished_record_tells_how_it_went(engine, clock):
    record = await run(
        engine, outcomes.failed("x\ud800\0y", Cause.EXCEPTION, result=b'{"a":1}'), now=clock.now
    )
    assert (record.status, record.result, record.completed_at) == (Status.FAILED, b'{"a":1}', clock.now)
    assert record.worker_id == "w1"
    assert record.error.startswith("x")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (HistoryQuery(), [3, 2, 1, 0]),
        (HistoryQuery(limit=2), [3, 2]),
        (HistoryQuery(limit=0), []),
        (HistoryQuery(limit=None), [3, 2, 1, 0]),
        (HistoryQuery(target="a"), [1, 0]),
        (HistoryQuery(topic="x"), [2, 0]),
        (HistoryQuery(correlation_id="c"), [3, 0]),
        (HistoryQuery(status=Status.QUEUED), [3, 1]),
        (HistoryQuery(status=Status.FAILED), [0]),
        (HistoryQuery(status=Status.RUNNING), [2]),
        (HistoryQuery(status=Status.COMPLETED), []),
        (HistoryQuery(target="b", topic="y", correlation_id="c", status=Status.QUEUED), [3]),
        (HistoryQuery(target="b", topic="y", correlation_id="other"), []),
    ],
)
async def test_records_are_found_by_every_field_newest_first(engine, clock, query, expected):
    ids = [(await run(engine, BOOM, now=clock.now, target="a", topic="x", correlation_id="c")).id]
    ids += await put(
        engine, new("a", topic="y"), new("b", topic="x"), new("b", topic="y", correlation_id="c")
    )
    await claim(engine, 1, (("x",), 1))
    assert [record.id for record in await engine.find(query)] == [ids[n] for n in expected]


async def test_live_records_are_found_before_archived_ones(engine, clock):
    a = await run(engine, now=clock.now)
    b = await run(engine, BOOM, now=clock.now)
    clock.move(8 * DAY_MS)
    await engine.sweep(100)
    (c,) = await put(engine)
    assert [one.id for one in await engine.find(HistoryQuery())] == [c, b.id, a.id]
    assert [one.id for one in await engine.find(HistoryQuery(limit=2))] == [c, b.id]
    assert await engine.find(HistoryQuery(status=Status.COMPLETED)) == [a]


async def test_each_attempt_leaves_its_record_the_success_too(engine, another):
    (one,) = await put(engine)
    (first,) = await claim(engine, worker="w1")
    await engine.settle_many([ending(first, BOOM, attempts=2, now=10)])
    (second,) = await claim(engine, worker="w2")
    done = outcomes.succeeded(b"2", Usage(peak_memory=2048, cpu_ms=6))
    await engine.settle_many([ending(second, done, attempts=2, now=20)])
    failure, success = await another.attempts(one)
    assert (failure.attempt, failure.worker_id, failure.cause, failure.error) == (1, "w1", "failure", "boom")
    assert (failure.peak_memory, failure.cpu_ms, failure.completed_at) == (1024, 5, 10)
    assert (success.attempt, success.worker_id, success.cause, success.error) == (2, "w2", None, None)
    assert (success.peak_memory, success.cpu_ms, success.started_at) == (2048, 6, 20)
    assert await engine.attempts("nobody") == []


async def test_the_attempts_of_before_stay_when_a_success_runs_again(engine, clock):
    record = await run(engine, now=clock.now)
    await engine.retry_many([record.id])
    assert [one.cause for one in await engine.attempts(record.id)] == [None]
    (again,) = await claim(engine)
    await engine.settle_many([ending(again, BOOM, now=clock.now)])
    assert [one.cause for one in await engine.attempts(record.id)] == [None, Cause.FAILURE]


async def test_lines_are_kept_in_order_and_read_on_from_a_position(engine, another):
    (one,) = await put(engine)
    (execution,) = await claim(engine)
    await engine.record_many([JournalEntry(execution_id=one, token=execution.token, lines=lines(0, 3))])
    first = await another.logs(one)
    assert [line.line for _, line in first] == ["line 0", "line 1", "line 2"]
    settlement = ending(execution)
    await engine.settle_many([type(settlement)(**{**as_dict(settlement), "lines": lines(3, 2)})])
    after = await another.logs(one, after=first[-1][0])
    assert [line for _, line in after] == list(lines(3, 2))
    positions = [position for position, _ in await engine.logs(one)]
    assert positions == sorted(set(positions))
    assert await engine.logs("nobody") == []


def as_dict(struct):
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


async def test_only_the_last_thousand_lines_are_kept(engine):
    (one,) = await put(engine)
    (execution,) = await claim(engine)
    for start in (0, 600, 1200):
        entry = JournalEntry(execution_id=one, token=execution.token, lines=lines(start, 600))
        await engine.record_many([entry])
    assert [line for _, line in await engine.logs(one)] == list(lines(800, 1000))


async def test_progress_is_kept_and_that_of_a_lost_claim_dropped(engine, another):
    (one,) = await put(engine)
    (execution,) = await claim(engine)
    good = JournalEntry(execution_id=one, token=execution.token, progress=Progress(40.5, "half\ud800"))
    lost = JournalEntry(execution_id=one, token=execution.token + 1, progress=Progress(99), lines=lines(0, 1))
    await engine.record_many([good, lost])
    (record,) = await another.get_many([one])
    assert record.progress.percent == 40.5
    assert await engine.logs(one) == []
    await engine.settle_many([ending(execution, BOOM, attempts=2)])
    await engine.record_many([good])
    (again,) = await claim(engine)
    assert again.progress is None


async def test_a_wait_for_the_end_tells_those_that_are_finished(engine, another, clock):
    done = await run(engine, now=clock.now)
    (one,) = await put(engine)
    assert await engine.wait_for_end([one], 1) == []
    assert await engine.wait_for_end([one, done.id], 0) == [done]
    (execution,) = await claim(engine)
    waiting = asyncio.create_task(another.wait_for_end([one], BOUND_MS))
    await asyncio.sleep(0)
    await engine.settle_many([ending(execution)])
    (record,) = await asyncio.wait_for(waiting, BOUND_MS / 2000)
    assert (record.id, record.status) == (one, Status.COMPLETED)


async def test_a_wait_for_the_end_hears_of_a_cancellation(engine, another):
    (one,) = await put(engine)
    waiting = asyncio.create_task(another.wait_for_end([one], BOUND_MS))
    await asyncio.sleep(0)
    await engine.cancel_many([one])
    (record,) = await asyncio.wait_for(waiting, BOUND_MS / 2000)
    assert record.status is Status.CANCELLED


async def test_a_sweep_archives_and_later_deletes_in_small_batches(engine, another, clock):
    records = [await run(engine, BOOM, now=clock.now) for _ in range(3)]
    (waiting,) = await put(engine)
    ids = [record.id for record in records]
    assert await engine.sweep(10) == Swept(0, 0)
    clock.move(7 * DAY_MS)
    assert [await another.sweep(2) for _ in range(3)] == [Swept(2, 0), Swept(1, 0), Swept(0, 0)]
    assert await engine.get_many(ids) == records
    assert len(await engine.attempts(ids[0])) == 1
    clock.move(30 * DAY_MS)
    assert [await another.sweep(2) for _ in range(3)] == [Swept(0, 2), Swept(0, 1), Swept(0, 0)]
    assert await engine.get_many([*ids, waiting]) == [None, None, None, (await engine.get_many([waiting]))[0]]
    assert await engine.attempts(ids[0]) == []


async def test_a_cancelled_one_ages_too(engine, clock):
    (one,) = await put(engine)
    await engine.cancel_many([one])
    clock.move(7 * DAY_MS)
    assert (await engine.sweep(10)).archived == 1


async def test_an_archived_one_can_run_again(engine, clock):
    record = await run(engine, now=clock.now, idempotency_key="k")
    clock.move(8 * DAY_MS)
    await engine.sweep(10)
    assert await engine.retry_many([record.id]) == [True]
    assert await claimed_ids(engine) == [record.id]
    assert [one.cause for one in await engine.attempts(record.id)] == [None]
    assert [one.id for one in await engine.find(HistoryQuery())] == [record.id]
    assert await put(engine, new(idempotency_key="k")) == [record.id]


async def test_an_id_that_stands_in_the_archive_is_not_taken_in_again(engine, clock):
    record = await run(engine, now=clock.now)
    clock.move(8 * DAY_MS)
    await engine.sweep(10)
    (answer,) = await engine.enqueue_many([new(id=record.id)])
    assert answer.deduplicated
    assert await claimed_ids(engine) == []
