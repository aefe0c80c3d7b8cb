"""What a schedule is stands in the book with how far it is: one that was changed while nothing ran has missed nothing."""

import asyncio

from contracts.engines import claim, new
from netscript_workers.ports.schedules import Tick

MINUTE = 60_000


async def last_of(engine, mark: str | None) -> int:
    standing = await (engine.standing(["mail"]) if mark is None else engine.standing(["mail"], [mark]))
    return standing.last["mail"]


async def test_a_schedule_that_is_not_what_it_was_begins_anew(engine, another, clock):
    began = clock.now
    assert await last_of(engine, "0 3 * * * UTC") == began
    clock.move(MINUTE)
    assert await last_of(another, "0 3 * * * UTC") == began
    clock.move(MINUTE)
    assert await last_of(another, "0 4 * * * UTC") == clock.now
    changed = clock.now
    clock.move(MINUTE)
    assert await last_of(engine, "0 4 * * * UTC") == changed
    clock.move(MINUTE)
    assert await last_of(engine, "0 3 * * * UTC") == clock.now, "changed back"


async def test_whoever_does_not_say_what_a_schedule_is_changes_nothing(engine, another, clock):
    began = clock.now
    assert await last_of(engine, None) == began
    clock.move(MINUTE)
    assert await last_of(another, "a") == began, "noted before there were marks: it missed what it missed"
    clock.move(MINUTE)
    assert await last_of(engine, None) == began
    assert await last_of(another, "a") == began
    assert await last_of(another, "b") == clock.now


async def test_a_change_takes_no_tick_back(engine, another, clock):
    began = await last_of(engine, "a")
    await engine.enqueue_ticks([Tick("mail", began + 60 * MINUTE, new("mail"))])
    assert await last_of(another, "b") == began + 60 * MINUTE
    assert await another.enqueue_ticks([Tick("mail", began + 60 * MINUTE, new("mail"))]) == [None]
    assert len(await claim(engine)) == 1


async def test_a_change_of_one_schedule_leaves_the_others_alone(engine, another, clock):
    began = (await engine.standing(["a", "b", "c"], ["1", "1", "1"])).now
    clock.move(MINUTE)
    standing = await another.standing(["c", "new", "b", "a"], ["1", "1", "2", "1"])
    assert dict(standing.last) == {"a": began, "b": clock.now, "c": began, "new": clock.now}


async def test_a_schedule_that_was_forgotten_is_known_by_no_mark(engine, another, clock):
    await last_of(engine, "a")
    clock.move(MINUTE)
    await engine.forget_schedules(["mail"])
    forgotten = await last_of(another, None)
    clock.move(MINUTE)
    assert await last_of(another, "a") == forgotten == clock.now - MINUTE


async def test_schedulers_that_see_a_change_at_the_same_time_agree_when_it_was(engine, another, clock):
    targets = [f"t{number}" for number in range(50)]
    await engine.standing(targets, ["1"] * 50)
    clock.move(MINUTE)
    asked = (one.standing(targets[::step], ["2"] * 50) for one in (engine, another) * 4 for step in (1, -1))
    told = await asyncio.gather(*asked)
    assert all(dict(each.last) == dict(told[0].last) for each in told)
    assert set(told[0].last.values()) == {clock.now}
