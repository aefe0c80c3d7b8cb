"""What schedulers may rely on, whatever the engine: each tick is enqueued once, whoever asks and whatever became of its run."""

import asyncio

from contracts.engines import BOUND_MS, DAY_MS, claim, claimed_ids, ending, new
from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import Status, TriggeredBy
from netscript_workers.ports.queue_admin import DeadFilter
from netscript_workers.ports.schedules import Tick

BOOM = outcomes.failed("boom")
MINUTE = 60_000


def tick(at: int, target: str = "mail", **fields) -> Tick:
    """Build a tick with an execution of its own."""
    return Tick(target, at, new(target, triggered_by=TriggeredBy.CRON, **fields))


async def last_of(engine, *targets):
    return dict((await engine.standing(targets)).last)


async def begun(engine, *targets):
    """Make targets known; returns now."""
    return (await engine.standing(targets or ("mail",))).now


async def test_a_new_schedule_begins_now_and_stays_where_it_began(engine, another, clock):
    standing = await engine.standing(["mail"])
    assert (standing.now, dict(standing.last)) == (clock.now, {"mail": clock.now})
    began = clock.now
    clock.move(MINUTE)
    standing = await another.standing(["mail", "news"])
    assert (standing.now, dict(standing.last)) == (clock.now, {"mail": began, "news": clock.now})


async def test_nobody_is_asked_for_and_nothing_is_enqueued(engine, clock):
    standing = await engine.standing([])
    assert (standing.now, dict(standing.last)) == (clock.now, {})
    assert await engine.enqueue_ticks([]) == []
    await engine.forget_schedules([])


async def test_a_tick_is_enqueued_once_whoever_asks(engine, another):
    now = await begun(engine)
    first, second = tick(now + MINUTE), tick(now + MINUTE)
    (answer,) = await engine.enqueue_ticks([first])
    assert (answer.id, answer.deduplicated) == (first.request.id, False)
    assert await another.enqueue_ticks([second]) == [None]
    assert await engine.enqueue_ticks([first]) == [None]
    assert await last_of(another, "mail") == {"mail": now + MINUTE}
    (execution,) = await claim(another)
    assert (execution.id, execution.triggered_by) == (first.request.id, TriggeredBy.CRON)


async def test_a_tick_no_later_than_the_last_is_not_enqueued(engine):
    now = await begun(engine)
    assert await engine.enqueue_ticks([tick(now), tick(now - MINUTE)]) == [None, None]
    await engine.enqueue_ticks([tick(now + 2 * MINUTE)])
    assert await engine.enqueue_ticks([tick(now + MINUTE), tick(now + 2 * MINUTE)]) == [None, None]
    assert len(await claim(engine)) == 1


async def test_a_batch_answers_in_order_and_runs_in_order(engine):
    now = await begun(engine, "a", "b")
    ticks = [
        tick(now + 2, "b"),
        tick(now + 1, "a"),
        tick(now + 1, "b"),
        tick(now + 2, "a"),
        tick(now + 2, "a"),
        tick(now + 1, "nobody"),
        tick(now + 3, "b"),
    ]
    answers = await engine.enqueue_ticks(ticks)
    assert [answer is not None for answer in answers] == [True, True, False, True, False, False, True]
    ids = [each.request.id for each, answer in zip(ticks, answers, strict=True) if answer]
    assert [answer.id for answer in answers if answer] == ids
    assert await claimed_ids(engine) == ids
    assert await last_of(engine, "a", "b") == {"a": now + 2, "b": now + 3}


async def test_a_thousand_ticks_go_in_one_call(engine, another):
    targets = [f"t{number:04}" for number in range(1000)]
    now = await begun(engine, *targets)
    ticks = [tick(now + 1, target) for target in targets]
    answers = await engine.enqueue_ticks(ticks)
    assert [answer.id for answer in answers if answer] == [each.request.id for each in ticks]
    assert not any(await another.enqueue_ticks([tick(now + 1, target) for target in targets]))
    half = await another.enqueue_ticks(
        [tick(now + 1 + number % 2, target) for number, target in enumerate(targets)]
    )
    assert [answer is not None for answer in half] == [False, True] * 500
    assert len(await claim(engine, 2000)) == 1500


async def test_schedulers_at_the_same_time_enqueue_each_tick_once(engine, another):
    targets = [f"t{number}" for number in range(40)]
    now = await begun(engine, *targets)

    async def schedule(which, order):
        """Go through ten moments as a scheduler does, with no other word between them than the book's."""
        taken = []
        for moment in range(1, 11):
            ticks = [tick(now + moment, target) for target in order]
            answers = await which.enqueue_ticks(ticks)
            taken += [each for each, answer in zip(ticks, answers, strict=True) if answer]
        return taken

    schedulers = [(one, order) for one in (engine, another) for order in (targets, targets[::-1], targets)]
    parts = await asyncio.gather(*(schedule(one, order) for one, order in schedulers))
    taken = [each for part in parts for each in part]
    moments = sorted((each.target, each.at) for each in taken)
    assert moments == sorted((target, now + moment) for target in targets for moment in range(1, 11))
    assert sorted(await claimed_ids(engine, 1000)) == sorted(each.request.id for each in taken)


async def test_schedulers_that_see_a_new_schedule_at_the_same_time_agree_when_it_began(engine, another):
    targets = [f"t{number}" for number in range(50)]
    asked = (one.standing(targets[::step]) for one in (engine, another) * 4 for step in (1, -1))
    told = await asyncio.gather(*asked)
    assert all(dict(each.last) == dict(told[0].last) for each in told)


async def test_no_end_of_its_run_brings_a_tick_back(engine, another, clock):
    now = await begun(engine)
    for number, outcome in enumerate([BOOM, outcomes.timed_out("late"), outcomes.succeeded(None)], 1):
        await engine.enqueue_ticks([tick(now + number, idempotency_key="k")])
        (execution,) = await claim(engine)
        await engine.settle_many([ending(execution, outcome, now=clock.now)])
        assert await another.enqueue_ticks([tick(now + number)]) == [None]
    assert await engine.count_dead() == 2
    assert await engine.purge_dead(DeadFilter()) == 2
    assert await another.enqueue_ticks([tick(now + 2)]) == [None]
    for days in (8, 31):
        clock.move(days * DAY_MS)
        await engine.sweep(100)
    assert await another.enqueue_ticks([tick(now + 3)]) == [None]
    assert await last_of(engine, "mail") == {"mail": now + 3}


async def test_a_cancelled_run_does_not_bring_its_tick_back(engine):
    now = await begun(engine)
    (answer,) = await engine.enqueue_ticks([tick(now + 1)])
    await engine.cancel_many([answer.id])
    assert await engine.enqueue_ticks([tick(now + 1)]) == [None]
    assert await claimed_ids(engine) == []


async def test_a_retry_and_a_requeue_leave_the_book_alone(engine, another, clock):
    now = await begun(engine)
    await engine.enqueue_ticks([tick(now + MINUTE)])
    for again in ("retry", "requeue"):
        (execution,) = await claim(engine)
        await engine.settle_many([ending(execution, BOOM, now=clock.now)])
        if again == "retry":
            assert await engine.retry_many([execution.id]) == [True]
        else:
            assert await engine.requeue_dead(DeadFilter()) == 1
        assert await last_of(another, "mail") == {"mail": now + MINUTE}
    assert len(await engine.enqueue_ticks([tick(now + 2 * MINUTE)])) == 1
    assert await last_of(another, "mail") == {"mail": now + 2 * MINUTE}
    assert len(await claim(engine)) == 2


async def test_the_book_holds_when_the_clock_goes_back_and_forth(engine, another, clock):
    now = await begun(engine)
    clock.move(60 * MINUTE)
    (answer,) = await engine.enqueue_ticks([tick(now + 60 * MINUTE)])
    assert answer is not None
    clock.move(-120 * MINUTE)
    standing = await another.standing(["mail"])
    assert (standing.now, dict(standing.last)) == (now - 60 * MINUTE, {"mail": now + 60 * MINUTE})
    assert await another.enqueue_ticks([tick(now - 60 * MINUTE), tick(now + 60 * MINUTE)]) == [None, None]


async def test_a_tick_whose_key_is_held_is_noted_all_the_same(engine):
    now = await begun(engine)
    (one,) = await engine.enqueue_ticks([tick(now + 1, idempotency_key="k")])
    (answer,) = await engine.enqueue_ticks([tick(now + 2, idempotency_key="k")])
    assert (answer.id, answer.deduplicated) == (one.id, True)
    both = [tick(now + 2, "mail"), tick(now + 3, "mail", idempotency_key="k")]
    skipped, held = await engine.enqueue_ticks(both)
    assert (skipped, held.id, held.deduplicated) == (None, one.id, True)
    assert await last_of(engine, "mail") == {"mail": now + 3}
    assert await claimed_ids(engine) == [one.id]


async def test_a_schedule_that_was_forgotten_is_new_again(engine, another, clock):
    now = await begun(engine, "mail", "news")
    await engine.enqueue_ticks([tick(now + MINUTE)])
    await another.forget_schedules(["mail", "nobody", "mail"])
    assert await engine.enqueue_ticks([tick(now + 2 * MINUTE)]) == [None]
    assert len(await claim(engine)) == 1
    clock.move(10 * MINUTE)
    assert await last_of(engine, "mail", "news") == {"mail": clock.now, "news": now}
    assert await another.enqueue_ticks([tick(now + 10 * MINUTE)]) == [None]
    (answer,) = await another.enqueue_ticks([tick(now + 11 * MINUTE)])
    assert answer is not None


async def test_schedules_taken_away_while_others_enqueue_double_no_tick(engine, another, clock):
    targets = [f"t{number}" for number in range(20)]
    now = await begun(engine, *targets)
    clock.move(MINUTE)
    taken = []

    async def schedule(which, order):
        for moment in range(1, 11):
            ticks = [tick(now + moment, target) for target in order]
            answers = await which.enqueue_ticks(ticks)
            taken.extend(
                (each.target, each.at) for each, answer in zip(ticks, answers, strict=True) if answer
            )

    async def change(which, order):
        for _ in range(10):
            await which.forget_schedules(order)
            await which.standing(order)

    parts = [(one, order) for one in (engine, another) for order in (targets, targets[::-1])]
    work = [schedule(*part) for part in parts] + [change(one, order[5:15]) for one, order in parts]
    await asyncio.gather(*work)
    assert len(taken) == len(set(taken)) == len(await claim(engine, 1000))
    kept = [each for each in taken if each[0] in targets[:5] + targets[15:]]
    assert len(kept) == 100


async def test_a_tick_wakes_a_worker_that_waits(engine, another):
    now = await begun(engine)
    await claim(engine)
    await engine.wait_for_work(["default"], 1)  # what rang before
    await claim(engine)
    waiting = asyncio.create_task(engine.wait_for_work(["default"], BOUND_MS))
    await another.enqueue_ticks([tick(now + 1)])
    await asyncio.wait_for(waiting, BOUND_MS / 2000)
    assert len(await claim(engine)) == 1


async def test_a_tick_may_wait_for_its_delay(engine, clock):
    now = await begun(engine)
    (answer,) = await engine.enqueue_ticks([tick(now + 1, delay_ms=50)])
    (record,) = await engine.get_many([answer.id])
    assert (record.status, record.due_at) == (Status.PENDING, clock.now + 50)


async def test_the_book_outlives_its_engines(engine, another):
    now = await begun(engine)
    await engine.enqueue_ticks([tick(now + MINUTE)])
    for one in (engine, another):
        await one.close()
    for one in (engine, another):
        await one.open()
    assert await last_of(another, "mail") == {"mail": now + MINUTE}
    assert await engine.enqueue_ticks([tick(now + MINUTE)]) == [None]
    assert len(await claim(another)) == 1
