"""What the line may rely on, whatever the engine: order, lanes, limits, fences, leases."""

import asyncio

from contracts.engines import BOUND_MS, LEASE_MS, asking, claim, claimed_ids, ending, new, put
from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import Status
from netscript_workers.ports.queue import Claim

BOOM = outcomes.failed("boom")


async def test_first_come_is_first_served(engine, another):
    ids = await put(engine, new(), new()) + await put(another, new())
    assert await claimed_ids(another) == ids


async def test_a_higher_priority_goes_first_and_equals_stay_in_order(engine):
    low, mid, high, mid2 = await put(
        engine, new(priority=1), new(priority=50), new(priority=90), new(priority=50)
    )
    assert await claimed_ids(engine) == [high, mid, mid2, low]


async def test_a_claim_counts_the_attempt_and_marks_the_record(engine, clock):
    (one,) = await put(engine, new(payload=b'{"a":"\xc3\xa9"}', correlation_id="c", traceparent="t"))
    (execution,) = await claim(engine, worker="w7")
    (record,) = await engine.get_many([one])
    assert execution == record
    assert (record.status, record.attempt, record.worker_id) == (Status.RUNNING, 1, "w7")
    assert (record.started_at, record.payload, record.traceparent) == (clock.now, b'{"a":"\xc3\xa9"}', "t")


async def test_a_delayed_one_waits_until_it_is_due(engine, clock):
    (one,) = await put(engine, new(delay_ms=1000))
    (record,) = await engine.get_many([one])
    assert (record.status, record.due_at) == (Status.PENDING, clock.now + 1000)
    clock.move(999)
    assert await claimed_ids(engine) == []
    clock.move(1)
    (execution,) = await claim(engine)
    assert (execution.id, execution.due_at) == (one, None)


async def test_one_that_became_due_keeps_its_priority(engine, clock):
    late, now = await put(engine, new(delay_ms=5, priority=90), new())
    clock.move(5)
    assert await claimed_ids(engine) == [late, now]


async def test_a_lane_takes_no_more_than_its_limit_and_the_claim_no_more_than_its_total(engine):
    a = await put(engine, *(new(topic="a") for _ in range(4)))
    b = await put(engine, *(new(topic="b") for _ in range(4)))
    assert await claimed_ids(engine, 5, (("a",), 2), (("b",), 9)) == [*a[:2], *b[:3]]


async def test_the_topics_of_a_lane_are_tried_in_order(engine):
    b, a, _other = await put(engine, new(topic="b"), new(topic="a"), new(topic="c"))
    assert await claimed_ids(engine, 5, (("a", "b"), 5)) == [a, b]


async def test_a_topic_named_in_two_lanes_hands_out_nothing_twice(engine):
    ids = await put(engine, new(), new(), new())
    assert await claimed_ids(engine, 9, (("default",), 1), (("default",), 9)) == ids


async def test_two_engines_never_get_the_same_one(engine, another):
    ids = await put(engine, *(new() for _ in range(40)))
    got = await asyncio.gather(*(claimed_ids(one, 5) for one in (engine, another) * 4))
    assert sorted(one for part in got for one in part) == sorted(ids)


async def test_an_id_enqueued_twice_is_stored_once(engine):
    twin = new()
    answers = await engine.enqueue_many([twin, twin]) + await engine.enqueue_many([twin])
    assert [answer.deduplicated for answer in answers] == [False, True, True]
    assert await claimed_ids(engine) == [twin.id]


async def test_a_settlement_ends_the_attempt_once(engine, another):
    (one,) = await put(engine)
    (execution,) = await claim(engine)
    assert await another.settle_many([ending(execution)]) == [True]
    assert await engine.settle_many([ending(execution, BOOM)]) == [False]
    (record,) = await engine.get_many([one])
    assert (record.status, record.result, record.error) == (Status.COMPLETED, b"1", None)


async def test_of_many_settlements_only_the_fenced_one_is_refused(engine):
    await put(engine, new(), new(), new())
    first, lost, last = await claim(engine)
    await engine.settle_many([ending(lost, BOOM, attempts=3)])
    (again,) = await claim(engine)
    assert again.token != lost.token
    assert await engine.settle_many([ending(one) for one in (first, lost, last)]) == [True, False, True]
    (record,) = await engine.get_many([lost.id])
    assert (record.status, record.token) == (Status.RUNNING, again.token)


async def test_an_old_and_a_live_settlement_of_one_execution_are_told_apart_in_one_batch(engine):
    await put(engine)
    (old,) = await claim(engine)
    await engine.settle_many([ending(old, BOOM, attempts=3)])
    (live,) = await claim(engine)
    assert await engine.settle_many([ending(old), ending(live), ending(live)]) == [False, True, False]


async def test_a_retry_waits_for_its_delay_and_counts_on(engine, clock):
    (one,) = await put(engine)
    (execution,) = await claim(engine)
    settlement = ending(execution, BOOM, attempts=2, delay_ms=500, now=clock.now)
    await engine.settle_many([settlement])
    (record,) = await engine.get_many([one])
    assert (record.status, record.attempt, record.error) == (Status.PENDING, 1, "boom")
    assert record.due_at == clock.now + settlement.delay_ms
    assert await claimed_ids(engine) == []
    clock.move(settlement.delay_ms)
    (again,) = await claim(engine)
    assert (again.attempt, again.error) == (2, None)


async def test_what_is_given_back_uses_up_no_attempt(engine, clock):
    (one,) = await put(engine)
    (execution,) = await claim(engine)
    await engine.settle_many([ending(execution, outcomes.interrupted("stop"))])
    (record,) = await engine.get_many([one])
    assert (record.status, record.attempt, record.worker_id) == (Status.QUEUED, 0, None)
    (again,) = await claim(engine)
    assert again.attempt == 1


async def test_a_limit_holds_back_its_target_and_others_pass(engine, another):
    a1, a2, b, a3 = await put(engine, new("a"), new("a"), new("b"), new("a"))
    first = await claim(engine, a=1)
    assert [one.id for one in first] == [a1, b]
    assert await claimed_ids(another, a=1) == []
    await another.settle_many([ending(first[0])])
    assert await claimed_ids(another, a=1) == [a2]
    assert await claimed_ids(engine, a=2) == [a3]


async def test_a_limit_that_is_lifted_holds_back_no_more(engine, another):
    ids = await put(engine, *(new("a") for _ in range(3)))
    assert await claimed_ids(engine, a=1) == ids[:1]
    assert await claimed_ids(another) == ids[1:]


async def test_what_a_limit_held_back_keeps_its_place(engine):
    a1, a2 = await put(engine, new("a"), new("a"))
    (first,) = await claim(engine, a=1)
    (b,) = await put(engine, new("b"))
    await engine.settle_many([ending(first)])
    assert first.id == a1
    assert await claimed_ids(engine, a=1) == [a2, b]


async def test_five_thousand_held_back_hide_no_other(engine, another):
    blocked = await put(engine, *(new("a", priority=90) for _ in range(5000)))
    (free,) = await put(engine, new("b"))
    assert await claimed_ids(engine, 10, a=1) == [blocked[0], free]
    (late,) = await put(engine, new("b"))
    assert await claimed_ids(another, 10, a=1) == [late]


async def test_a_key_of_an_unfinished_one_answers_with_it(engine, another):
    (one,) = await put(engine, new(idempotency_key="k"))
    (answer,) = await another.enqueue_many([new(idempotency_key="k")])
    assert (answer.id, answer.deduplicated) == (one, True)
    await claim(engine)
    assert await put(engine, new(idempotency_key="k")) == [one]
    (other,) = await engine.enqueue_many([new("other", idempotency_key="k")])
    assert not other.deduplicated


async def test_a_key_holds_within_one_batch(engine):
    answers = await engine.enqueue_many([new(idempotency_key="k"), new(idempotency_key="k")])
    assert [answer.deduplicated for answer in answers] == [False, True]
    assert answers[0].id == answers[1].id


async def test_a_completed_one_holds_its_key_for_a_day(engine, clock):
    (one,) = await put(engine, new(idempotency_key="k"))
    await engine.settle_many([ending(e, now=clock.now) for e in await claim(engine)])
    clock.move(24 * 3_600_000 - 1)
    assert await put(engine, new(idempotency_key="k")) == [one]
    clock.move(1)
    assert await put(engine, new(idempotency_key="k")) != [one]


async def test_a_failed_one_frees_its_key(engine, clock):
    (one,) = await put(engine, new(idempotency_key="k"))
    await engine.settle_many([ending(e, BOOM, now=clock.now) for e in await claim(engine)])
    assert await put(engine, new(idempotency_key="k")) != [one]


async def test_a_failed_one_that_runs_again_holds_its_key_again(engine, clock):
    (one,) = await put(engine, new(idempotency_key="k"))
    await engine.settle_many([ending(e, BOOM, now=clock.now) for e in await claim(engine)])
    (two,) = await put(engine, new(idempotency_key="k"))
    await engine.settle_many([ending(e, BOOM, now=clock.now) for e in await claim(engine)])
    await engine.retry_many([one])
    assert two != one
    assert await put(engine, new(idempotency_key="k")) == [one]


async def until_expired(engine, worker="w2", limit=10):
    async with asyncio.timeout(BOUND_MS / 1000):
        while not (taken := await engine.take_expired(worker, LEASE_MS, limit)):
            await asyncio.sleep(0.005)
    return taken


async def test_a_lease_that_ran_out_is_taken_over_by_one_worker_only(engine, another):
    (one,) = await put(engine)
    (execution,) = await claim(engine, lease_ms=1)
    (taken,) = await until_expired(another)
    assert (taken.id, taken.worker_id, taken.attempt) == (one, "w1", 1)
    assert taken.token != execution.token
    assert await engine.take_expired("w3", LEASE_MS, 10) == []
    assert await engine.settle_many([ending(execution)]) == [False]
    assert (await engine.extend_many([Claim(one, execution.token)], LEASE_MS)).lost == (one,)
    assert await another.settle_many([ending(taken, outcomes.lost("gone"))]) == [True]


async def test_a_live_lease_is_not_taken_over(engine, another):
    await put(engine)
    await claim(engine)
    assert await another.take_expired("w2", LEASE_MS, 10) == []


async def test_a_worker_never_takes_over_its_own_live_claims_however_late_it_is(engine, another):
    await put(engine, new(), new())
    mine, gone = await claim(engine, lease_ms=1)
    own = [Claim(mine.id, mine.token)]
    async with asyncio.timeout(BOUND_MS / 1000):
        while not (taken := await engine.take_expired("w1", LEASE_MS, 10, own)):
            await asyncio.sleep(0.005)
    assert [one.id for one in taken] == [gone.id]
    assert await engine.take_expired("w1", LEASE_MS, 10, own) == []
    assert [one.id for one in await another.take_expired("w2", LEASE_MS, 10)] == [mine.id]


async def test_a_renewed_lease_lives_on(engine, another):
    await put(engine, new(), new())
    kept, gone = await claim(engine, lease_ms=1)
    assert (await engine.extend_many([Claim(kept.id, kept.token)], LEASE_MS)).lost == ()
    assert [one.id for one in await until_expired(another)] == [gone.id]


async def test_a_wait_ends_when_another_engine_enqueues(engine, another):
    await claim(engine)
    await engine.wait_for_work(["default"], 1)  # what rang before
    await claim(engine)
    waiting = asyncio.create_task(engine.wait_for_work(["default"], BOUND_MS))
    await put(another)
    await asyncio.wait_for(waiting, BOUND_MS / 2000)
    assert len(await claim(engine)) == 1


async def test_what_comes_between_the_claim_and_the_wait_is_not_missed(engine, another):
    assert await claim(engine) == []
    await put(another)
    await asyncio.wait_for(engine.wait_for_work(["default"], BOUND_MS), BOUND_MS / 2000)


async def test_a_wait_ends_when_something_becomes_due(engine, clock):
    await put(engine, new(delay_ms=50))
    assert await claim(engine) == []
    waiting = asyncio.create_task(engine.wait_for_work(["default"], BOUND_MS))
    clock.move(50)
    await asyncio.wait_for(waiting, BOUND_MS / 2000)
    assert len(await claim(engine)) == 1


async def test_a_wait_for_nothing_ends_at_its_bound(engine):
    await claim(engine)
    await asyncio.wait_for(engine.wait_for_work(["default"], 20), BOUND_MS / 1000)


async def test_an_empty_claim_and_an_empty_batch_are_fine(engine):
    assert await engine.claim_many(asking(0)) == []
    assert await engine.enqueue_many([]) == []
    assert await engine.settle_many([]) == []
    assert (await engine.extend_many([], LEASE_MS)).lost == ()


async def test_a_row_held_back_by_its_limit_hides_none_behind_it_from_a_full_claim(engine):
    await put(engine, new("b", topic="x", priority=50), new("b", topic="x", priority=50))
    assert len(await claim(engine, 1, (("x",), 1))) == 1
    behind = await put(engine, new("a", topic="x"), new("a", topic="x"))
    await put(engine, new("a", topic="y"))
    assert await claimed_ids(engine, 2, (("x", "y"), 3), b=1) == behind
