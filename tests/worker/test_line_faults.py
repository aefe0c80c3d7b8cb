"""The line in bad times: stops, pauses, lost workers, engines and runners that fail."""

import asyncio
import time

import msgspec
import pytest

from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import Status
from netscript_workers.domain.outcome import Cause
from netscript_workers.errors import EngineError, SlotError
from netscript_workers.ports.queue import Claim, ClaimRequest, LaneDemand, Renewal
from netscript_workers.worker.attempt import Attempt
from netscript_workers.worker.stop import Stop
from support.line import Line, no_op


async def forever(_execution, _observer):
    await asyncio.Event().wait()


async def test_stopping_lets_a_run_finish_within_the_grace():
    line = Line()
    gate = asyncio.Event()

    @line.job("slow")
    async def slow(_execution, _observer):
        await gate.wait()
        return outcomes.succeeded(b"1")

    async with line:
        (one,) = await line.enqueue("slow")
        await line.until(lambda: line.runner.running == [one])
        stopping = asyncio.create_task(line.worker.stop(60_000))
        await line.until(lambda: not line.worker.claiming)
        gate.set()
        await stopping
        (record,) = await line.ended(one)
    assert record.status is Status.COMPLETED


async def test_a_run_that_outlasts_the_grace_goes_back_unused():
    line = Line()
    line.job("slow", max_retries=0)(forever)
    async with line:
        (one,) = await line.enqueue("slow")
        await line.until(lambda: line.runner.running == [one])
        await line.worker.stop(10)
        await line.in_status(Status.QUEUED, one)
        assert (await line.record(one)).attempt == 0
        (attempt,) = await line.engine.attempts(one)
    assert attempt.cause == Cause.SHUTDOWN


async def test_a_paused_worker_claims_nothing_until_it_is_resumed():
    line = Line()
    line.job("short")(no_op)
    async with line:
        await line.ended(*await line.enqueue("short"))
        line.worker.pause()
        ids = await line.enqueue("short", 3)
        await asyncio.sleep(0.1)  # nothing to wait for: nothing must happen
        await line.in_status(Status.QUEUED, *ids)
        line.worker.resume()
        await line.ended(*ids)


async def test_a_runner_that_breaks_fails_the_attempt_and_not_the_worker(caplog):
    line = Line()

    @line.job("broken", max_retries=0)
    async def broken(_execution, _observer):
        raise ZeroDivisionError("ours")

    line.job("short")(no_op)
    async with line:
        (one,) = await line.ended(*await line.enqueue("broken"))
        await line.ended(*await line.enqueue("short"))
    assert one.status is Status.FAILED
    assert "ZeroDivisionError: ours" in (one.error or "")


async def test_what_a_lost_worker_left_is_taken_over_as_a_used_attempt():
    line = Line(lease_ms=60)
    line.job("job", max_retries=1)(no_op)
    await line.engine.open()
    (one,) = await line.enqueue("job")
    lane = LaneDemand(("default",), 1)
    await line.engine.claim_many(
        ClaimRequest(worker_id="dead", lease_ms=1, total=1, lanes=(lane,), target_limits={})
    )
    async with line:
        (record,) = await line.ended(one)
        attempts = await line.engine.attempts(one)
    assert (record.status, record.attempt) == (Status.COMPLETED, 2)
    assert (attempts[0].cause, attempts[0].worker_id) == (Cause.LOST_WORKER, "dead")


async def test_a_run_whose_lease_was_lost_is_stopped_and_records_nothing():
    line = Line(lease_ms=300)
    line.job("slow")(forever)
    async with line:
        (one,) = await line.enqueue("slow")
        await line.until(lambda: line.runner.running == [one])
        claimed = await line.record(one)
        extend = line.engine.extend_many

        async def lose(claims, lease_ms):
            line.engine.extend_many = extend
            renewal = await extend([Claim(c.execution_id, c.token + 1_000) for c in claims], lease_ms)
            assert renewal.lost == (one,)
            return renewal

        line.engine.extend_many = lose
        await line.until(lambda: line.runner.running == [])
        assert claimed.attempt == 1
        assert line.settler.unsettled == 0


async def test_the_worker_outlasts_an_engine_that_fails_for_a_while_and_says_so(caplog):
    line = Line()
    line.job("short")(no_op)
    failing = {"claim_many": 3, "settle_many": 3}

    def break_for_a_while(name):
        real = getattr(line.engine, name)

        async def call(*args):
            if failing[name]:
                failing[name] -= 1
                raise EngineError("the disk is full")
            return await real(*args)

        setattr(line.engine, name, call)

    for name in failing:
        break_for_a_while(name)
    with caplog.at_level("WARNING"):
        async with line:
            (one,) = await line.ended(*await line.enqueue("short"))
    assert one.status is Status.COMPLETED
    assert failing == {"claim_many": 0, "settle_many": 0}
    said = "\n".join(caplog.messages)
    assert "the disk is full" in said
    assert "recovered" in said


async def test_a_settlement_that_cannot_be_written_does_not_hold_up_the_others():
    line = Line()
    line.job("short")(no_op)
    real = line.engine.settle_many
    poison: set[str] = set()

    async def settle(settlements):
        if any(one.execution_id in poison for one in settlements):
            raise TypeError("cannot write this")
        return await real(settlements)

    line.engine.settle_many = settle
    async with line:
        (bad,) = await line.enqueue("short", delay_ms=50)
        poison.add(bad)
        good = await line.enqueue("short", 50)
        await line.ended(*good)
        await line.until(lambda: not line.settler.unsettled)


@pytest.mark.parametrize("other", ["a", "b"])
async def test_a_lane_full_of_long_runs_does_not_hold_up_the_other(other):
    line = Line(a=1, b=1)
    full = "b" if other == "a" else "a"
    line.job("slow")(forever)
    line.job("short")(no_op)
    async with line:
        await line.enqueue("slow", 5, topic=full)
        await line.until(lambda: len(line.runner.running) == 1)
        await line.ended(*await line.enqueue("short", 20, topic=other))
        assert len(line.runner.running) == 1


async def test_a_worker_that_could_not_renew_in_time_does_not_take_over_its_own_run():
    line = Line(lease_ms=60)
    gate = asyncio.Event()
    renewing = line.engine.extend_many
    looked = 0

    @line.job("slow", max_retries=0)
    async def slow(_execution, _observer):
        await gate.wait()
        return outcomes.succeeded(b"1")

    async def too_late(_claims, _lease_ms):
        return Renewal()  # as if it came after the lease: nothing is renewed, and nobody has taken it yet

    looking = line.engine.take_expired

    async def look(*arguments):
        nonlocal looked
        looked += 1
        return await looking(*arguments)

    line.engine.extend_many, line.engine.take_expired = too_late, look
    async with line:
        (one,) = await line.enqueue("slow")
        await line.until(lambda: line.runner.running == [one])
        time.sleep(0.1)
        before = looked
        await line.until(lambda: looked >= before + 3)
        line.engine.extend_many = renewing
        gate.set()
        (record,) = await line.ended(one)
    assert (record.status, record.attempt, len(line.runner.starts)) == (Status.COMPLETED, 1, 1)


async def test_a_success_that_waits_to_be_written_keeps_its_claim():
    line = Line(lease_ms=60)
    line.job("short", max_retries=0)(no_op)
    real, blocked = line.engine.settle_many, asyncio.Event()

    async def settle(settlements):
        if not blocked.is_set():
            raise EngineError("not now")
        return await real(settlements)

    line.engine.settle_many = settle
    async with line:
        (one,) = await line.enqueue("short")
        await line.until(lambda: line.settler.unsettled == 1)
        time.sleep(0.1)
        blocked.set()
        (record,) = await line.ended(one)
    assert (record.status, record.attempt) == (Status.COMPLETED, 1)


async def test_a_run_stopped_before_its_first_step_frees_its_slot_at_once():
    line = Line(default=1)
    line.job("slow")(forever)
    line.job("short")(no_op)
    async with line:
        (one,) = await line.enqueue("slow")
        await line.until(lambda: bool(line.leases.attempts))
        (attempt,) = line.leases.attempts
        fresh = Attempt(attempt.execution, attempt.workshop)
        ended = []
        fresh.workshop = msgspec.structs.replace(
            attempt.workshop, settle=lambda *_: None, ended=lambda *pair: ended.append(pair)
        )
        fresh.start(asyncio.get_running_loop())
        fresh.stop(Stop.CANCEL)
        await line.until(lambda: len(ended) == 1)
        assert ended[0][1].status is Status.CANCELLED
        await line.engine.cancel_many([one])
        await line.ended(one)


async def test_a_run_that_joins_a_settled_one_is_listened_for_at_once():
    line = Line(default=2)
    line.job("slow")(forever)
    listened, real = [], line.engine.wait_for_cancels

    async def listen(claims, timeout_ms):
        listened.append(claims)
        return await real(claims, 3_600_000 if timeout_ms > 1_000 else timeout_ms)

    line.engine.wait_for_cancels = listen
    async with line:
        (first,) = await line.enqueue("slow")
        await line.until(lambda: line.runner.running == [first])
        await asyncio.sleep(0.6)  # the wait for cancellations has become a long one
        (second,) = await line.enqueue("slow")
        await line.until(lambda: any(claim.execution_id == second for claim in listened[-1]))
        await line.engine.cancel_many([second])
        await line.ended(second)
        await line.engine.cancel_many([first])
        await line.ended(first)


async def test_a_run_that_gets_no_slot_goes_back_unused_and_stops_the_worker():
    line = Line()

    @line.job("job", max_retries=0)
    async def job(_execution, _observer):
        raise SlotError("no slot can be started")

    async with line:
        (one,) = await line.enqueue("job")
        fault = await asyncio.wait_for(line.faults.wait(), 20)
        await line.worker.stop(0)
        await line.in_status(Status.QUEUED, one)
        assert (await line.record(one)).attempt == 0
    assert "no slot can be started" in str(fault)
