"""What many machines on one queue may rely on: all are listed, a dead one's runs come back, pauses and limits hold for all."""

import asyncio

import msgspec

from contracts.engines import BOUND_MS, LEASE_MS, claim, claimed_ids, ending, new, put
from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.overview import WorkerInfo
from netscript_workers.ports.promises import SEEN_WITHIN_MS

MACHINES = 30


def worker(name: str, *, host: str = "h", busy: int = 0) -> WorkerInfo:
    return WorkerInfo(
        id=name,
        host=host,
        pid=7,
        role="worker",
        topics=("default", "mail"),
        slots_total=4,
        slots_busy=busy,
        started_at=5,
        last_seen_at=0,
    )


async def listed(engine) -> list[str]:
    return [one.id for one in await engine.workers()]


async def test_every_machine_is_listed_with_all_it_said(engine, another, clock):
    told = [worker(f"w{number:02}", host=f"host-{number}", busy=number % 5) for number in range(MACHINES)]
    announcing = (
        one.announce(info) for number, info in enumerate(told) for one in [(engine, another)[number % 2]]
    )
    await asyncio.gather(*announcing)
    expected = [msgspec.structs.replace(info, last_seen_at=clock.now) for info in told]
    assert await engine.workers() == await another.workers() == expected


async def test_a_machine_that_says_more_is_listed_once_with_the_latest(engine, another, clock):
    await engine.announce(worker("w1", busy=1))
    clock.move(5)
    await another.announce(worker("w1", busy=3))
    (one,) = await engine.workers()
    assert (one.slots_busy, one.last_seen_at) == (3, clock.now)


async def test_a_dead_machine_vanishes_and_its_runs_go_to_another(engine, another, clock):
    (one, two) = await put(engine, new(), new())
    await engine.announce(worker("dead"))
    await another.announce(worker("alive"))
    await claim(engine, 1, worker="dead", lease_ms=1)
    await claim(another, 1, worker="alive")
    clock.move(SEEN_WITHIN_MS)
    await another.announce(worker("alive"))
    assert await listed(engine) == ["alive", "dead"]
    clock.move(1)
    assert await listed(another) == ["alive"]
    async with asyncio.timeout(BOUND_MS / 1000):
        while not (taken := await another.take_expired("alive", LEASE_MS, 10)):
            await asyncio.sleep(0.005)
    assert [(each.id, each.worker_id) for each in taken] == [(one, "dead")]
    await another.settle_many([ending(each, outcomes.lost("gone"), attempts=2) for each in taken])
    assert await claimed_ids(another, worker="alive") == [one]
    assert two != one


async def test_the_run_of_a_dead_machine_counts_until_somebody_took_it_over(engine, another):
    one, two = await put(engine, new("a"), new("a"))
    await claim(engine, 1, worker="dead", lease_ms=1, a=1)
    assert await claimed_ids(another, a=1) == []
    async with asyncio.timeout(BOUND_MS / 1000):
        while not (taken := await another.take_expired("alive", LEASE_MS, 10)):
            assert await claimed_ids(another, a=1) == []
            await asyncio.sleep(0.005)
    assert await claimed_ids(engine, a=1) == []
    await another.settle_many([ending(each, outcomes.lost("gone")) for each in taken])
    assert ([each.id for each in taken], await claimed_ids(engine, a=1)) == ([one], [two])


async def test_a_limit_holds_while_many_machines_claim_at_once(engine, another):
    ids = await put(engine, *(new("a") for _ in range(40)), *(new("b") for _ in range(10)))
    running: set[str] = set()
    most, done = 0, []

    async def machine(which, name):
        nonlocal most
        while len(done) < len(ids):
            claimed = await claim(which, 4, worker=name, a=3)
            running.update(each.id for each in claimed if each.target == "a")
            most = max(most, len(running))
            await asyncio.sleep(0)
            for each in claimed:  # counted out before it is settled: another may have its place at once then
                running.discard(each.id)
            assert all(await which.settle_many([ending(each) for each in claimed]))
            done.extend(each.id for each in claimed)
            if not claimed:
                await asyncio.sleep(0.002)

    machines = [(engine, another)[number % 2] for number in range(6)]
    async with asyncio.timeout(BOUND_MS / 1000):
        await asyncio.gather(*(machine(each, f"w{number}") for number, each in enumerate(machines)))
    assert most <= 3
    assert sorted(done) == sorted(ids)


async def test_a_limit_that_one_machine_frees_wakes_another(engine, another):
    _, two = await put(engine, new("a"), new("a"))
    (first,) = await claim(engine, a=1)
    assert await claimed_ids(another, a=1) == []
    async with asyncio.timeout(BOUND_MS / 1000):
        await another.wait_for_work(["default"], 1)  # what rang before
        assert await claimed_ids(another, a=1) == []
        waiting = asyncio.create_task(another.wait_for_work(["default"], BOUND_MS))
        await engine.settle_many([ending(first)])
        await waiting
        while not (got := await claimed_ids(another, a=1)):
            await another.wait_for_work(["default"], 100)
    assert got == [two]


async def test_a_pause_holds_for_every_machine_from_its_answer_on(engine, another):
    ids = await put(engine, *(new(topic="a") for _ in range(60)))
    done: list[str] = []
    turn = 0  # odd while it is paused
    broken: list[str] = []

    async def machine(which, name):
        while len(done) < len(ids):
            before = turn
            claimed = await claim(which, 2, (("a",), 2), worker=name)
            if before % 2 and turn == before:
                broken.extend(each.id for each in claimed)
            await which.settle_many([ending(each) for each in claimed])
            done.extend(each.id for each in claimed)
            await asyncio.sleep(0 if claimed else 0.002)

    async with asyncio.timeout(BOUND_MS / 1000), asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(machine((engine, another)[number % 2], f"w{number}"))
        for which in (engine, another, engine):
            await which.pause("a")
            turn += 1
            for one in (engine, another):
                assert await claimed_ids(one, 2, (("a",), 2)) == []
            turn += 1
            await which.resume("a")
    assert broken == []
    assert sorted(done) == sorted(ids)
