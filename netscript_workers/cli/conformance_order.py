"""Checks of what is handed out, in which order and how often."""

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING, Final

from netscript_workers.cli.conformance_stage import Stage, Verdict, Worker
from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import Status
from netscript_workers.ports.schedules import Tick

if TYPE_CHECKING:
    from netscript_workers.domain.execution import Execution
    from netscript_workers.ports.engine import Engine

_MANY: Final = 300
_LIMIT: Final = 3
_WAITING: Final = 20
_TICKS: Final = 25


async def order(stage: Stage) -> Verdict:
    """Claim one by one what was enqueued in several calls."""
    topic = stage.topic()
    put = [id for count in (1, 99, 1, 99) for id in await stage.put(topic, count)]
    got: list[str] = []
    while len(got) < len(put):
        claimed = await stage.one.claim_within(topic, 5, count=7)
        if not claimed:
            break
        got += [each.id for each in claimed]
        await stage.one.settle(claimed)
    wrong = _out_of_order([put.index(each) for each in got])
    found = f"{len(got)} of {len(put)} handed out, {wrong} out of order"
    figures = {"enqueued": len(put), "handedOut": len(got), "outOfOrder": wrong}
    return Verdict("order", "first come, first served within one priority", got == put, found, figures)


async def priority(stage: Stage) -> Verdict:
    """Claim what was enqueued with every priority there is, shuffled."""
    topic = stage.topic()
    wanted = [number % 101 for number in range(_MANY)]
    random.Random(7).shuffle(wanted)
    requests = [stage.new(topic, priority=each) for each in wanted]
    await stage.one.engine.enqueue_many(requests)
    got: list[Execution] = []
    while len(got) < len(requests) and (claimed := await stage.one.claim_within(topic, 5, count=11)):
        got += claimed
        await stage.one.settle(claimed)
    place = {request.id: number for number, request in enumerate(requests)}
    wrong = _out_of_order([-each.priority for each in got])
    turned = _out_of_order([(-each.priority, place[each.id]) for each in got]) - wrong
    kept = wrong == 0 and turned <= 0 and len(got) == len(requests)
    found = f"{len(got)} of {len(requests)} handed out, {wrong} too late, {max(0, turned)} out of order within one priority"
    figures = {"handedOut": len(got), "tooLate": wrong, "outOfOrderWithinOne": max(0, turned)}
    return Verdict("priority", "101 priorities, the higher first", kept, found, figures)


async def duplicates(stage: Stage) -> Verdict:
    """Let four claimers on two connections fight for the same work."""
    topic = stage.topic()
    ids = await stage.put(topic, 4 * _MANY)
    seen: Counter[str] = Counter()
    refused = 0

    async def work(worker: Worker) -> None:
        nonlocal refused
        while claimed := await worker.claim_within(topic, 0.5, count=13):
            seen.update(each.id for each in claimed)
            refused += (await worker.settle(claimed)).count(False)

    names = ("a", "b", "c", "d")
    engines = (stage.one.engine, stage.two.engine) * 2
    async with asyncio.TaskGroup() as group:
        for name, engine in zip(names, engines, strict=True):
            group.create_task(work(Worker(f"conformance-{name}", engine)))
    twice = sum(count - 1 for count in seen.values())
    lost = len(set(ids) - set(seen))
    found = f"{len(ids)} executions, 4 claimers: {twice} handed out twice, {lost} never, {refused} settlements refused"
    figures = {"enqueued": len(ids), "twice": twice, "never": lost, "refused": refused}
    kept = not (twice or lost or refused)
    return Verdict("duplicates", "each is handed out once while nothing fails", kept, found, figures)


async def idempotency(stage: Stage) -> Verdict:
    """Enqueue with one key from two connections at once; run it; enqueue again."""
    topic = stage.topic()
    engines = (stage.one.engine, stage.two.engine) * 10
    answers = await asyncio.gather(
        *(engine.enqueue_many([stage.new(topic, idempotency_key="key")]) for engine in engines)
    )
    ids = {answer.id for (answer,) in answers}
    await stage.one.settle(await stage.one.claim_within(topic, 5, count=50))
    (after,) = await stage.two.engine.enqueue_many([stage.new(topic, idempotency_key="key")])
    kept = len(ids) == 1 and after.id in ids
    again = "the same one" if after.id in ids else "another one"
    found = f"20 enqueues at once made {len(ids)}; after its completion: {again}"
    figures = {"made": len(ids), "sameAfterCompletion": after.id in ids}
    return Verdict("idempotency", "one key, one execution", kept, found, figures)


async def limit(stage: Stage) -> Verdict:
    """Claim on two connections what a limit of 3 runs at once holds back."""
    topic = stage.topic()
    await stage.put(topic, _WAITING)
    limits = {topic: _LIMIT}
    both = (stage.one, stage.two)
    claims = await asyncio.gather(*(worker.claim(topic, 10, limits=limits) for worker in both))
    at_once = sum(len(each) for each in claims)
    done = 0
    most = at_once
    while any(claims):
        for worker, claimed in zip(both, claims, strict=True):
            done += (await worker.settle(claimed)).count(True)
        claims = await asyncio.gather(*(worker.claim(topic, 10, limits=limits) for worker in both))
        most = max(most, sum(len(each) for each in claims))
    found = f"at most {most} of {_LIMIT} at once, {done} of {_WAITING} done"
    figures = {"limit": _LIMIT, "most": most, "done": done}
    kept = most == _LIMIT and done == _WAITING
    return Verdict("max_concurrency", "a limit holds across workers", kept, found, figures)


async def pause(stage: Stage) -> Verdict:
    """Pause on one connection, claim on the other."""
    topic = stage.topic()
    await stage.put(topic, 1)
    await stage.one.engine.pause(topic)
    during = await stage.two.claim(topic)
    await stage.one.engine.resume(topic)
    after = await stage.two.claim_within(topic, 5)
    await stage.two.settle(after)
    found = f"{len(during)} handed out while paused, {len(after)} after it"
    figures = {"duringPause": len(during), "afterResume": len(after)}
    return Verdict(
        "pause", "a paused topic hands out nothing", not during and len(after) == 1, found, figures
    )


async def completed(stage: Stage) -> Verdict:
    """End an execution, and try to get or end it again."""
    topic = stage.topic()
    (id,) = await stage.put(topic)
    claimed = await stage.one.claim_within(topic, 5)
    await stage.one.settle(claimed)
    again = await stage.two.claim(topic)
    second = await stage.two.settle(claimed, outcomes.failed("too late"))
    (record,) = await stage.two.engine.get_many([id])
    status = record.status if record is not None else None
    # A record of one millisecond may be gone by now; one that is there must say that it is completed.
    kept = not again and second == [False] and status in {None, Status.COMPLETED}
    found = f"{len(again)} handed out again, a second end {'refused' if second == [False] else 'taken'}"
    figures = {"again": len(again), "secondEndRefused": second == [False]}
    return Verdict("completed", "what is recorded as completed never runs again", kept, found, figures)


async def ticks(stage: Stage) -> Verdict:
    """Let four schedulers on two connections enqueue the same ticks; fail their runs; enqueue them again."""
    topic = stage.topic()
    began = (await stage.one.engine.standing([topic])).last[topic]
    moments = range(began + 1, began + 1 + _TICKS)

    async def schedule(engine: "Engine") -> int:
        made = 0
        for at in moments:
            (answer,) = await engine.enqueue_ticks([Tick(topic, at, stage.new(topic))])
            made += answer is not None
        return made

    engines = (stage.one.engine, stage.two.engine)
    made = sum(await asyncio.gather(*map(schedule, engines * 2)))
    handed = 0
    while claimed := await stage.one.claim_within(topic, 0.5, count=50):
        handed += len(claimed)
        await stage.one.settle(claimed, outcomes.failed("as it should"))
    again = await schedule(stage.two.engine)
    await stage.one.engine.forget_schedules([topic])
    kept = made == handed == _TICKS and not again
    found = f"{_TICKS} ticks, 4 schedulers: {made} enqueued, {handed} handed out, {again} once more after their runs had failed"
    figures = {"ticks": _TICKS, "enqueued": made, "handedOut": handed, "again": again}
    return Verdict("ticks", "each tick of a schedule is enqueued once", kept, found, figures)


def _out_of_order(keys: "list[int] | list[tuple[int, int]]") -> int:
    """Count the keys that come after a greater one."""
    wrong = 0
    highest = None
    for key in keys:
        if highest is not None and key < highest:  # pyright: ignore[reportOperatorIssue] - all keys of a list are alike
            wrong += 1
        else:
            highest = key
    return wrong
