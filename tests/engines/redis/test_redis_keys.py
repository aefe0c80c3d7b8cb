"""Nothing stays in Redis for ever: what is finished expires, and what its work leaves behind has an owner."""

import asyncio

import msgspec
import pytest

from contracts.engines import BOUND_MS, DAY_MS, claim, ending, new, put
from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import LogLine, Progress
from netscript_workers.domain.overview import WorkerInfo
from netscript_workers.engines.redis import RedisEngine
from netscript_workers.ports.history import HistoryQuery, JournalEntry
from netscript_workers.ports.queue_admin import DeadFilter
from netscript_workers.ports.schedules import Tick

BOOM = outcomes.failed("boom")
LINE = LogLine(1, "stdout", "INFO", "hello")


async def a_life(engine, clock):
    """Have executions end in every way, with lines, progress, keys, correlation ids, limits and a pause."""
    fields = {"idempotency_key": "k", "correlation_id": "c"}
    for outcome in (BOOM, outcomes.timed_out("late"), outcomes.cancelled("asked"), outcomes.succeeded(b"1")):
        await put(engine, new(**fields))
        (first,) = await claim(engine, mail=1)
        entry = JournalEntry(execution_id=first.id, token=first.token, progress=Progress(1), lines=(LINE,))
        await engine.record_many([entry])
        await engine.settle_many([ending(first, BOOM, attempts=2, delay_ms=7)])
        clock.move(7)
        (again,) = await claim(engine, mail=1)
        assert await engine.settle_many([ending(again, outcome, now=clock.now)]) == [True]
    delayed, waiting, running = await put(engine, new(delay_ms=5), new("other"), new("third"))
    await engine.cancel_many([delayed, waiting])
    (held,) = await claim(engine, third=1)
    await engine.cancel_many([running])
    await engine.settle_many([ending(held, BOOM, attempts=5, now=clock.now)])
    await engine.pause("x")
    await engine.resume("x")


async def test_everything_of_finished_ones_expires_by_itself(engine, own, clock):
    await a_life(engine, clock)
    parts = [key for key in own.there() if key.startswith(("e:", "l:", "x:", "k:", "i:c:", "c:", "seq"))]
    assert len(parts) > 12
    assert set(parts).isdisjoint(own.lasting())
    root = f"netscript:{{{own.name}}}:"
    week = 7 * 24 * 3600
    ages = [own.client.ttl(root + key) for key in parts if key.startswith(("e:", "l:", "x:"))]
    assert all(week < age <= 2 * week for age in ages), "the live age and a week of grace"


# Who ends what does not expire by itself. Nothing else may last.
OWNERS = {
    "what waits or runs, until it ends": ("e:", "k:", "l:", "x:", "q:", "t:", "topics", "due", "leases"),
    "the counts and indexes of what waits or runs": ("running", "pending", "living", "i:", "held", "asked"),
    "the operator, who resumes the topic": ("paused",),
}


def without_owner(own):
    owned = tuple(start for starts in OWNERS.values() for start in starts)
    return [key for key in own.lasting() if not key.startswith(owned)]


async def test_every_key_expires_or_has_an_owner(engine, own, clock):
    lasting: set[str] = set()
    for _ in range(2):  # the second life begins on keys that expire
        await put(
            engine, new(correlation_id="c", idempotency_key="k"), new(delay_ms=5), new("other", topic="x")
        )
        await claim(engine, 1)
        await engine.pause("x")
        lasting.update(own.lasting())
        assert without_owner(own) == []
        await engine.bury_raw(b"raw", "why")
        await engine.resume("x")
        clock.move(10)
        await end_all(engine, clock)
        assert own.lasting() == [], "nothing waits or runs"
    assert {"i:g:mail", "i:o:x", "i:c:c", "i:targets", "i:topics", "living", "paused"} <= lasting
    assert "r:" in {key[:2] for key in own.there()}


async def end_all(engine, clock):
    running = await engine.find(HistoryQuery(status="running"))
    await engine.settle_many([ending(one, now=clock.now) for one in running])
    while claimed := await claim(engine, 1, (("default", "x"), 1)):
        await engine.settle_many([ending(claimed[0], BOOM, now=clock.now)])


async def test_what_lives_again_is_found_for_as_long_as_it_lives(engine, own, clock):
    (first, _) = await put(engine, new("a"), new("b"))
    await end_all(engine, clock)
    assert own.lasting() == []
    await engine.retry_many([first])
    assert {"i:g:a", "i:o:default", "i:targets", "i:topics", "living"} <= set(own.lasting())
    assert "i:g:b" not in own.lasting()
    await end_all(engine, clock)
    assert own.lasting() == []
    assert len(await engine.find(HistoryQuery())) == 2


async def test_an_order_stays_as_long_as_the_longest_kept_record(engine, own, clock):
    (long, short) = await put(engine, new("a"), new("b"))
    for each, days in zip(await claim(engine, 2), (60, 1), strict=True):
        kept = msgspec.structs.replace(ending(each, BOOM, now=clock.now), keep_ms=days * DAY_MS)
        assert await engine.settle_many([kept]) == [True]
    root = f"netscript:{{{own.name}}}:"
    orders = ("i:o:default", "i:s:failed", "dead", "ageing", "i:topics")
    ages = {key: own.client.ttl(root + key) // 86_400 for key in orders}
    assert all(age >= 60 for age in ages.values()), ages
    assert own.client.ttl(root + f"e:{long}") > own.client.ttl(root + f"e:{short}") > 0


async def test_nothing_lasting_is_left_once_all_is_swept(engine, own, clock):
    await a_life(engine, clock)
    garbage = await engine.bury_raw(b"raw", "why")
    assert await engine.purge_dead(DeadFilter(ids=(garbage,))) == 1
    clock.move(100 * DAY_MS)
    while (await engine.sweep(2)).deleted:
        pass
    assert own.lasting() == []
    assert [key for key in own.there() if key.startswith(("e:", "l:", "x:"))] == []


async def test_nothing_lasting_is_left_once_the_dead_are_purged_and_the_rest_is_archived(engine, own, clock):
    await a_life(engine, clock)
    await engine.purge_dead(DeadFilter())
    clock.move(8 * DAY_MS)
    while aged := await engine.aged(3):
        assert await engine.drop_aged(aged) == len(aged)
    assert own.lasting() == []


async def test_what_expired_before_a_sweeper_came_hides_nothing_and_leaves_nothing(engine, own, clock):
    await a_life(engine, clock)
    root = f"netscript:{{{own.name}}}:"
    for key in own.client.scan_iter(root + "[elx]:*"):
        own.client.delete(key)  # as expiry does after the grace
    clock.move(10)
    (late,) = await put(engine)
    (execution,) = await claim(engine)
    await engine.settle_many([ending(execution, now=clock.now)])
    assert [one.id for one in await engine.find(HistoryQuery())] == [late]
    clock.move(8 * DAY_MS)
    (aged,) = await engine.aged(1)
    assert aged.execution.id == late
    assert await engine.drop_aged([aged]) == 1
    assert own.lasting() == []


async def test_a_worker_that_never_signs_off_expires_too(engine, own):
    info = {"host": "h", "pid": 1, "role": "all", "topics": (), "slots_total": 1, "slots_busy": 0}
    await engine.announce(WorkerInfo(id="w", started_at=0, last_seen_at=0, **info))
    assert own.there() == ["workers"]
    assert own.lasting() == []


async def test_the_book_of_the_schedules_expires_long_after_the_last_scheduler(engine, own, clock):
    key = f"netscript:{{{own.name}}}:ticks"
    years = 366 * 24 * 3600
    (last,) = (await engine.standing(["mail"])).last.values()
    assert own.client.ttl(key) > years
    for look in (engine.standing(["mail"]), engine.enqueue_ticks([Tick("mail", last + 1, new(delay_ms=1))])):
        own.client.expire(key, 60)
        await look
        assert own.client.ttl(key) > years, "whoever looks keeps it"
    await engine.forget_schedules(["mail"])
    assert "ticks" not in own.there()


async def test_two_queue_names_on_one_server_never_see_each_other(engine, own):
    other = RedisEngine(own.url, own.name + "-2")
    await other.open()
    try:
        await put(engine)
        assert await claim(other) == []
        assert await other.find(HistoryQuery()) == []
        assert await other.wait_for_end(["nobody"], min(1, BOUND_MS)) == []
    finally:
        await other.close()


async def test_an_erased_queue_leaves_no_key_and_others_alone(engine, own):
    other = RedisEngine(own.url, own.name + "-[x]*")
    await other.open()
    await put(engine, *(new() for _ in range(5)))
    await claim(engine)
    await put(other)
    await engine.standing(["mail"])
    await engine.erase()
    assert own.there() == []
    assert len(await claim(other)) == 1
    await other.erase()
    assert await other.find(HistoryQuery()) == []
    await other.close()


async def test_indexes_that_have_nothing_in_common_are_not_walked(engine, own):
    await put(engine, *(new("a", topic="x") for _ in range(2000)), new("a", topic="y"), new("b", topic="z"))
    own.client.config_resetstat()
    assert await engine.find(HistoryQuery(target="a", topic="z")) == []
    assert "cmdstat_hmget" not in own.client.info("commandstats")
    (found,) = await engine.find(HistoryQuery(target="a", topic="y"))
    assert (found.target, found.topic) == ("a", "y")


async def test_an_index_by_correlation_id_lives_as_long_as_one_of_its_executions(engine, own, clock):
    (first, later) = await put(engine, new(correlation_id="c"), new(correlation_id="c", delay_ms=60 * DAY_MS))
    (one,) = await claim(engine)
    await engine.settle_many([ending(one, now=clock.now)])
    name = f"netscript:{{{own.name}}}:i:c:c"
    assert own.client.ttl(name) == -1
    await engine.retry_many([first])
    await engine.cancel_many([later])
    assert own.client.ttl(name) == -1
    await engine.cancel_many([first])
    assert own.client.ttl(name) > 7 * 24 * 3600
    assert own.client.hkeys(f"netscript:{{{own.name}}}:living") == []


async def test_the_many_that_expired_before_a_sweeper_came_are_taken_out_by_short_scripts(engine, own, clock):
    for _ in range(5):
        await put(engine, *(new() for _ in range(1000)))
        claimed = await claim(engine, 1000)
        await engine.settle_many([ending(one, now=clock.now) for one in claimed])
    root = f"netscript:{{{own.name}}}:"
    gone = list(own.client.scan_iter(root + "e:*", count=5000))
    own.client.unlink(*gone)
    clock.move(100 * DAY_MS)
    assert len(await engine._run("aged", (500,))) == 1, "it stopped for now"
    assert 2000 <= own.client.zcard(root + "ageing") < 5000
    assert await engine.aged(500) == []
    assert own.client.zcard(root + "ageing") == 0
    await put(engine)
    assert await engine.sweep(10)
    assert own.client.zcard(root + "i:o:default") == 1


async def test_dead_letters_are_found_a_stretch_at_a_time(engine, clock):
    ids = [f"dead-{n}" for n in range(1203)]
    await put(engine, *(new("b" if n % 2 else "a", id=one) for n, one in enumerate(ids)))
    while claimed := await claim(engine, 500):
        await engine.settle_many([ending(one, BOOM, now=clock.now) for one in claimed])
    garbage = [await engine.bury_raw(b"x", "why") for _ in range(3)]
    assert len((await engine._run("find_dead", (None, None, 500, 0, True)))[1]) == 500
    found = [letter.id for letter in await engine.dead_letters(DeadFilter(), None)]
    assert sorted(found) == sorted(ids + garbage)
    assert len(await engine.dead_letters(DeadFilter(target="b"), 600)) == 600
    assert len(await engine.dead_letters(DeadFilter(target="b"), None)) == 601
    some = DeadFilter(ids=(ids[7], garbage[1], "nope"))
    assert {letter.id for letter in await engine.dead_letters(some, None)} == {ids[7], garbage[1]}
    assert await engine.requeue_dead(DeadFilter(target="b")) == 601
    assert await engine.purge_dead(DeadFilter()) == 602 + 3
    assert await engine.count_dead() == 0


@pytest.mark.parametrize("sweep", ["sweep", "aged"])
async def test_records_that_were_thrown_away_hold_no_room_of_their_target_for_ever(engine, own, sweep):
    ids = await put(engine, new(), new(), new())
    await claim(engine, 1, lease_ms=1)
    for one in ids[:2]:
        own.client.delete(f"netscript:{{{own.name}}}:e:{one}")  # as a policy that evicts does
    assert len(await claim(engine, mail=3)) == 1, "the lost one that was queued is passed over"
    (left,) = await engine.find(HistoryQuery(status="running"))
    assert await engine.settle_many([ending(left)]) == [True]
    async with asyncio.timeout(BOUND_MS / 1000):
        while own.client.zcard(f"netscript:{{{own.name}}}:leases"):
            await engine.take_expired("w2", 60_000, 10)
    await put(engine)
    await getattr(engine, sweep)(10)
    assert len(await claim(engine, mail=1)) == 1
