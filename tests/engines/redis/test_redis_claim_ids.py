"""Claims of named executions: for a queue whose order another server keeps."""

from contracts.engines import asking, claim, claimed_ids, ending, new, put
from netscript_workers.domain.execution import Status


async def test_those_that_can_be_claimed_are_claimed_in_the_order_given(engine, clock):
    a, b, c = await put(engine, new(), new(), new(topic="other"))
    got = await engine.claim_ids([c, "nobody", a, a], asking(worker="w9"))
    assert [one.id for one in got] == [c, a]
    assert {(one.status, one.attempt, one.worker_id) for one in got} == {(Status.RUNNING, 1, "w9")}
    assert await engine.get_many([c, a]) == got
    assert await claimed_ids(engine) == [b]
    assert await engine.settle_many([ending(one) for one in got]) == [True, True]


async def test_those_that_cannot_be_claimed_stay_as_they_are(engine, clock):
    paused, delayed, running = await put(engine, new(topic="p"), new(delay_ms=5), new())
    await claim(engine)
    await engine.pause("p")
    before = await engine.get_many([paused, delayed, running])
    assert await engine.claim_ids([paused, delayed, running], asking()) == []
    assert await engine.get_many([paused, delayed, running]) == before
    clock.move(5)
    assert [one.id for one in await engine.claim_ids([paused, delayed], asking())] == [delayed]
    assert await engine.claim_ids([], asking()) == []


async def test_limits_and_the_total_hold(engine):
    ids = await put(engine, *(new("a") for _ in range(3)), *(new("b") for _ in range(3)))
    got = await engine.claim_ids(ids, asking(3, a=2))
    assert [one.id for one in got] == [*ids[:2], ids[3]]
    assert await engine.claim_ids(ids[2:3], asking(a=2)) == []
    await engine.settle_many([ending(got[0])])
    assert [one.id for one in await engine.claim_ids(ids[2:3], asking(a=2))] == ids[2:3]
    (depth,) = await engine.depths()
    assert (depth.queued, depth.running) == (2, 3)
