"""What an operator may rely on, whatever the engine: cancel, retry, pause, counts, dead letters, workers."""

import asyncio

import pytest

from contracts.engines import BOUND_MS, DAY_MS, LEASE_MS, claim, claimed_ids, ending, new, put, run
from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import Status, TriggeredBy
from netscript_workers.domain.overview import SlotInfo, WorkerInfo
from netscript_workers.ports.promises import GARBAGE_KEEP_MS
from netscript_workers.ports.queue import Claim
from netscript_workers.ports.queue_admin import DeadFilter

BOOM = outcomes.failed("boom", retry=True)
ALL = DeadFilter()


async def status_of(engine, execution_id):
    (record,) = await engine.get_many([execution_id])
    return record.status


@pytest.mark.parametrize(("delay_ms", "before"), [(0, Status.QUEUED), (1000, Status.PENDING)])
async def test_a_waiting_one_is_cancelled_at_once(engine, another, clock, delay_ms, before):
    (one,) = await put(engine, new(delay_ms=delay_ms))
    (answer,) = await another.cancel_many([one])
    assert (answer.execution_id, answer.before) == (one, before)
    (record,) = await engine.get_many([one])
    assert (record.status, record.completed_at, record.due_at) == (Status.CANCELLED, clock.now, None)
    clock.move(1000)
    assert await claimed_ids(engine) == []


async def test_one_that_a_limit_holds_back_is_cancelled_at_once(engine):
    _, held = await put(engine, new("a"), new("a"))
    (running,) = await claim(engine, a=1)
    await engine.cancel_many([held])
    await engine.settle_many([ending(running)])
    assert await claimed_ids(engine, a=1) == []


async def test_a_running_one_is_asked_to_stop_and_its_worker_is_woken(engine, another):
    (one,) = await put(engine)
    (execution,) = await claim(engine)
    held = [Claim(one, execution.token)]
    assert await engine.wait_for_cancels(held, 1) == []
    waiting = asyncio.create_task(engine.wait_for_cancels(held, BOUND_MS))
    await asyncio.sleep(0)
    (answer,) = await another.cancel_many([one])
    assert answer.before is Status.RUNNING
    assert await asyncio.wait_for(waiting, BOUND_MS / 2000) == [one]
    assert await engine.wait_for_cancels([Claim(one, execution.token + 1)], 1) == []
    await engine.settle_many([ending(execution, outcomes.cancelled("asked"))])
    assert await status_of(engine, one) is Status.CANCELLED


@pytest.mark.parametrize("delay_ms", [0, 1000])
async def test_a_run_asked_to_stop_that_would_be_retried_ends_cancelled(engine, clock, delay_ms):
    (one,) = await put(engine)
    (execution,) = await claim(engine)
    await engine.cancel_many([one])
    await engine.settle_many([ending(execution, BOOM, attempts=3, delay_ms=delay_ms)])
    assert await status_of(engine, one) is Status.CANCELLED
    clock.move(delay_ms)
    assert await claimed_ids(engine) == []


async def test_a_run_asked_to_stop_that_is_given_back_ends_cancelled(engine):
    (one,) = await put(engine)
    (execution,) = await claim(engine)
    await engine.cancel_many([one])
    await engine.settle_many([ending(execution, outcomes.interrupted("stop"))])
    (record,) = await engine.wait_for_end([one], 0)
    assert record.status is Status.CANCELLED


async def test_a_finished_one_stays_as_it_is_and_an_unknown_one_is_told(engine, clock):
    record = await run(engine, now=clock.now)
    done, unknown = await engine.cancel_many([record.id, "nobody"])
    assert (done.before, unknown.before) == (Status.COMPLETED, None)
    assert await engine.get_many([record.id]) == [record]


async def test_a_finished_one_runs_again_from_its_first_attempt(engine, another, clock):
    failed = await run(engine, BOOM, now=clock.now)
    (waiting,) = await put(engine, new(topic="later"))
    assert await another.retry_many([failed.id, waiting, "nobody", failed.id]) == [True, False, False, False]
    (record,) = await engine.get_many([failed.id])
    assert (record.status, record.attempt, record.error) == (Status.QUEUED, 0, None)
    assert (record.triggered_by, record.completed_at) == (TriggeredBy.RETRY, None)
    (again,) = await claim(engine)
    assert (again.id, again.attempt) == (failed.id, 1)


async def test_a_cancelled_one_that_runs_again_is_not_asked_to_stop(engine):
    (one,) = await put(engine)
    (execution,) = await claim(engine)
    await engine.cancel_many([one])
    await engine.settle_many([ending(execution, outcomes.cancelled("asked"))])
    await engine.retry_many([one])
    (again,) = await claim(engine)
    assert await engine.wait_for_cancels([Claim(one, again.token)], 1) == []
    await engine.settle_many([ending(again, BOOM, attempts=2)])
    assert await status_of(engine, one) is Status.QUEUED


async def test_a_paused_topic_hands_out_nothing_until_it_is_resumed(engine, another):
    a, b = await put(engine, new(topic="a"), new(topic="b"))
    await engine.pause("a")
    await engine.pause("a")
    lanes = ((("a", "b"), 9),)
    assert await claimed_ids(another, 9, *lanes) == [b]
    await engine.wait_for_work(["a"], 1)
    waiting = asyncio.create_task(engine.wait_for_work(["a"], BOUND_MS))
    await another.resume("a")
    await another.resume("a")
    await asyncio.wait_for(waiting, BOUND_MS / 2000)
    assert await claimed_ids(engine, 9, *lanes) == [a]


async def test_a_pause_lets_what_runs_end(engine):
    await put(engine)
    (execution,) = await claim(engine)
    await engine.pause("default")
    assert (await engine.extend_many([Claim(execution.id, execution.token)], LEASE_MS)).lost == ()
    assert await engine.settle_many([ending(execution)]) == [True]


async def test_the_depths_count_each_topic(engine, clock):
    await put(engine, new(topic="b"), new(topic="b", delay_ms=9), new(topic="a"))
    clock.move(5)
    await put(engine, new(topic="b"))
    await engine.pause("c")
    await claimed_ids(engine, 1, (("a",), 1))
    told = [
        (d.topic, d.pending, d.queued, d.running, d.paused, d.oldest_age_ms) for d in await engine.depths()
    ]
    assert told == [("a", 0, 0, 1, False, None), ("b", 1, 2, 0, False, 5), ("c", 0, 0, 0, True, None)]


async def test_what_a_limit_holds_back_is_counted_as_queued(engine):
    await put(engine, *(new("a") for _ in range(3)))
    await claim(engine, a=1)
    (depth,) = await engine.depths()
    assert (depth.queued, depth.running) == (2, 1)


async def test_a_finished_topic_is_not_in_the_depths(engine, clock):
    await run(engine, now=clock.now)
    assert await engine.depths() == []


async def some_dead(engine, clock):
    """Three dead letters, one garbage, and a success."""
    dead = []
    for target, topic, outcome in [
        ("a", "x", BOOM),
        ("a", "y", outcomes.timed_out("late")),
        ("b", "x", BOOM),
        ("b", "x", outcomes.succeeded(None)),
    ]:
        clock.move(1)
        record = await run(engine, outcome, now=clock.now, target=target, topic=topic)
        dead.append(record.id)
    clock.move(1)
    garbage = await engine.bury_raw(b"\x00\xffnot ours", "not JSON")
    return (*dead[:3], garbage)


async def test_dead_letters_are_listed_latest_first_with_garbage(engine, another, clock):
    a, b, c, garbage = await some_dead(engine, clock)
    letters = await another.dead_letters(ALL, None)
    assert [letter.id for letter in letters] == [garbage, c, b, a]
    assert (letters[0].execution, letters[0].raw, letters[0].reason) == (
        None,
        b"\x00\xffnot ours",
        "not JSON",
    )
    assert (letters[1].execution.id, letters[1].reason, letters[2].reason) == (c, "boom", "late")
    assert [letter.id for letter in await engine.dead_letters(ALL, 2)] == [garbage, c]
    assert await engine.count_dead() == 4


async def test_dead_letters_are_found_by_id_target_and_topic(engine, clock):
    a, b, c, garbage = await some_dead(engine, clock)
    for which, ids in [
        (DeadFilter(target="a"), [b, a]),
        (DeadFilter(topic="x"), [c, a]),
        (DeadFilter(target="a", topic="x"), [a]),
        (DeadFilter(ids=(garbage, a)), [garbage, a]),
        (DeadFilter(ids=(a, b), topic="y"), [b]),
        (DeadFilter(ids=("nobody",)), []),
    ]:
        assert [letter.id for letter in await engine.dead_letters(which, None)] == ids


async def test_a_requeue_puts_the_dead_back_and_leaves_garbage(engine, another, clock):
    a, b, c, garbage = await some_dead(engine, clock)
    assert await another.requeue_dead(DeadFilter(target="a")) == 2
    assert await engine.requeue_dead(DeadFilter(ids=(garbage,))) == 0
    assert [letter.id for letter in await engine.dead_letters(ALL, None)] == [garbage, c]
    assert await claimed_ids(engine, 9, (("x", "y"), 9)) == [a, b]
    assert await engine.requeue_dead(ALL) == 1


async def test_a_purge_deletes_the_dead_with_their_traces(engine, another, clock):
    a, _, _, garbage = await some_dead(engine, clock)
    assert await another.purge_dead(DeadFilter(ids=(a, garbage))) == 2
    assert await engine.get_many([a]) == [None]
    assert (await engine.attempts(a), await engine.logs(a)) == ([], [])
    assert await engine.purge_dead(ALL) == 2
    assert (await engine.count_dead(), await engine.dead_letters(ALL, None)) == (0, [])


async def test_archived_dead_letters_stay_dead_letters(engine, clock):
    a, *_ = await some_dead(engine, clock)
    clock.move(8 * DAY_MS)
    assert (await engine.sweep(100)).archived == 4
    assert await engine.count_dead() == 4
    assert await engine.requeue_dead(DeadFilter(ids=(a,))) == 1
    assert await claimed_ids(engine, 9, (("x",), 9)) == [a]
    assert await engine.purge_dead(ALL) == 3


async def test_garbage_is_kept_as_long_as_a_dead_letter_and_no_longer(engine, another, clock):
    await engine.bury_raw(b"old", "why")
    clock.move(GARBAGE_KEEP_MS - 1)
    later = await engine.bury_raw(b"late", "why")
    await engine.sweep(10)
    assert await engine.count_dead() == 2
    clock.move(1)
    await another.sweep(10)
    assert await engine.count_dead() == 1
    assert [letter.id for letter in await another.dead_letters(ALL, None)] == [later]
    assert await engine.purge_dead(ALL) == 1


def worker(name):
    return WorkerInfo(
        id=name,
        host="h",
        pid=1,
        role="all",
        topics=("default",),
        slots_total=4,
        slots_busy=1,
        started_at=7,
        last_seen_at=0,
        supervisor="tree",
        restarts=2,
        slots=(SlotInfo(mode="web-worker", pid=7, execution_id="one", memory=5),),
    )


async def test_announced_workers_are_listed_until_they_are_forgotten(engine, another, clock):
    for name in ("w2", "w1"):
        await engine.announce(worker(name))
    seen = await another.workers()
    assert [(one.id, one.last_seen_at) for one in seen] == [("w1", clock.now), ("w2", clock.now)]
    assert {(one.supervisor, one.restarts) for one in seen} == {("tree", 2)}
    assert {one.slots for one in seen} == {worker("w1").slots}
    await another.forget("w1")
    await another.forget("nobody")
    assert [one.id for one in await engine.workers()] == ["w2"]


async def test_a_worker_silent_for_more_than_a_minute_is_not_listed(engine, clock):
    await engine.announce(worker("w1"))
    clock.move(60_000)
    assert len(await engine.workers()) == 1
    clock.move(1)
    assert await engine.workers() == []
    await engine.announce(worker("w1"))
    assert len(await engine.workers()) == 1
