"""A line whose pool is exchanged while it works."""

import asyncio

from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import Status
from netscript_workers.domain.pool import Lane, Pool
from support.line import Line, no_op


def reconfigure(line: Line, **limits: int) -> None:
    line.worker.give_back_unstarted()
    line.worker.reconfigure(
        Pool(sum(limits.values()), tuple(Lane((t,), n) for t, n in limits.items()), "test")
    )


class Gated:
    """A handler that waits at a gate."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()

    async def __call__(self, _execution, _observer):
        await self.gate.wait()
        return outcomes.succeeded(b"1")


async def test_a_topic_taken_away_is_left_in_the_queue_and_what_runs_of_it_finishes():
    line = Line(mail=1)
    line.job("slow", topic="mail")(slow := Gated())
    async with line:
        running, waiting = await line.enqueue("slow", 2, topic="mail")
        await line.in_status(Status.RUNNING, running)
        reconfigure(line, default=1)
        slow.gate.set()
        (ended,) = await line.ended(running)
        assert ended.status is Status.COMPLETED
        line.job("other")(no_op)
        await line.ended(*await line.enqueue("other"))
        assert (await line.record(waiting)).status is Status.QUEUED
        reconfigure(line, mail=1)
        (ended,) = await line.ended(waiting)
        assert ended.attempt == 1


async def test_a_topic_that_is_added_is_served_at_once_though_the_line_waits_for_another():
    line = Line(default=1)
    line.job("letter", topic="mail")(no_op)
    async with line:
        await line.until(lambda: line.worker._call is not None)  # idle: it waits for word of `default`
        (waiting,) = await line.enqueue("letter", topic="mail")
        reconfigure(line, default=1, mail=1)
        await line.ended(waiting)
        await line.ended(*await line.enqueue("letter", 3, topic="mail"))


async def test_a_pool_grows_and_shrinks_under_load_and_loses_and_doubles_nothing():
    line = Line(default=1)

    @line.job("short")
    async def short(_execution, _observer):
        await asyncio.sleep(0.001)
        return outcomes.succeeded(b"1")

    async with line:
        ids = await line.enqueue("short", 600)
        for round_ in range(30):
            reconfigure(line, default=1 + round_ * 7 % 5)
            await asyncio.sleep(0.005)
        line.runner.most = 0
        reconfigure(line, default=2)
        ended = await line.ended(*ids)
        assert all(one.status is Status.COMPLETED and one.attempt == 1 for one in ended)
        assert sorted(line.runner.starts) == sorted(ids)
        assert line.worker.lanes.busy == line.worker.lanes.held == 0


async def test_what_is_held_unstarted_goes_back_and_starts_with_its_target_as_it_is_then():
    line = Line(default=1)
    line.job("slow")(slow := Gated())
    async with line:
        line.worker.lanes._by_topic["default"].mean_ms = 1.0  # runs were short so far: it looks ahead
        first, second = await line.enqueue("slow", 2)
        await line.until(lambda: line.worker.lanes.held == 1)
        seen = []

        async def fresh(execution, _observer):
            seen.append(execution.id)
            return outcomes.succeeded(b"2")

        line.job("slow", enabled=True, timeout=1_000)(fresh)
        reconfigure(line, default=1)
        slow.gate.set()
        await line.ended(first, second)
        assert seen == [second]


async def test_an_execution_claimed_while_its_topic_is_taken_away_goes_back_unrun():
    line = Line(mail=1)
    line.job("letter", topic="mail")(no_op)
    async with line:
        claim, claimed, go_on = line.engine.claim_many, asyncio.Event(), asyncio.Event()

        async def slow_claim(request):
            answer = await claim(request)
            if answer:
                claimed.set()
                await go_on.wait()
            return answer

        line.engine.claim_many = slow_claim
        (one,) = await line.enqueue("letter", topic="mail")
        await asyncio.wait_for(claimed.wait(), 20)
        reconfigure(line, default=1)
        go_on.set()
        await line.in_status(Status.QUEUED, one)
        assert line.runner.starts == []
        assert not line.leases.attempts
