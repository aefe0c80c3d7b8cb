"""The line as a whole: claim, run, decide, settle, and let go in good order."""

import asyncio

from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import LogLine, Progress, Status
from netscript_workers.domain.outcome import Cause
from support.line import Line, no_op


async def forever(_execution, _observer):
    await asyncio.Event().wait()


async def test_an_enqueued_execution_is_run_and_recorded():
    line = Line()

    @line.job("add")
    async def add(execution, _observer):
        return outcomes.succeeded(execution.payload)

    async with line:
        (one,) = await line.ended(*await line.enqueue("add", payload=b'{"a":1}'))
    assert (one.status, one.result, one.attempt, one.worker_id) == (
        Status.COMPLETED,
        b'{"a":1}',
        1,
        "w1",
    )
    assert one.completed_at is not None
    assert one.completed_at >= one.started_at >= one.triggered_at


async def test_a_failure_is_retried_until_its_attempts_are_used_up_and_each_leaves_its_cause():
    line = Line()

    @line.job("flaky", max_retries=2)
    async def flaky(execution, _observer):
        if execution.attempt == 2:
            raise RuntimeError("the runner broke")
        return outcomes.failed(f"attempt {execution.attempt}", Cause.EXCEPTION)

    async with line:
        (one,) = await line.ended(*await line.enqueue("flaky"))
        attempts = await line.engine.attempts(one.id)
    assert (one.status, one.attempt, one.error) == (Status.FAILED, 3, "attempt 3")
    assert [a.cause for a in attempts] == [Cause.EXCEPTION, Cause.CRASH, Cause.EXCEPTION]


async def test_a_run_over_its_timeout_is_stopped_and_ends_as_timeout():
    line = Line()
    line.job("slow", timeout=30, max_retries=0)(forever)
    async with line:
        (one,) = await line.ended(*await line.enqueue("slow"))
        assert line.runner.running == []
    assert one.status is Status.TIMEOUT
    assert "30 ms" in (one.error or "")


async def test_a_running_execution_is_cancelled_on_request():
    line = Line()
    line.job("slow")(forever)
    async with line:
        ids = await line.enqueue("slow")
        await line.until(lambda: line.runner.running == ids)
        await line.engine.cancel_many(ids)
        (one,) = await line.ended(*ids)
    assert one.status is Status.CANCELLED


async def test_an_execution_for_nobody_becomes_a_dead_letter_that_names_the_nearest_ids():
    line = Line()
    line.job("send-mail")(no_op)
    async with line:
        ids = await line.enqueue("send-male", max_attempts=4)
        (one,) = await line.ended(*ids)
    assert (one.status, one.attempt) == (Status.FAILED, 1)
    assert "send-mail" in (one.error or "")


async def test_a_disabled_target_is_not_run():
    line = Line()
    line.job("off", enabled=False)(no_op)
    async with line:
        (one,) = await line.ended(*await line.enqueue("off"))
        assert line.runner.starts == []
    assert (one.status, "disabled" in (one.error or "")) == (Status.FAILED, True)


async def test_only_as_many_are_claimed_as_there_are_free_slots():
    line = Line(default=3)
    line.job("slow")(forever)
    async with line:
        await line.enqueue("slow", 10)
        await line.until(lambda: len(line.runner.running) == 3)
        (depth,) = await line.engine.depths()
    assert (depth.running, depth.queued) == (3, 7)


async def test_many_short_runs_each_run_once():
    line = Line(default=4)
    line.job("short")(no_op)
    async with line:
        ids = await line.enqueue("short", 2_000)
        done = await line.ended(*ids)
        assert sorted(line.runner.starts) == sorted(ids)
        assert line.runner.most <= 4
    assert all(one.status is Status.COMPLETED for one in done)


async def test_a_look_ahead_behind_a_long_run_goes_back_to_the_queue():
    line = Line(default=1)
    gate = asyncio.Event()

    @line.job("short")
    async def short(execution, _observer):
        if execution.payload == b'{"long":true}':
            await gate.wait()
        return outcomes.succeeded(None)

    async with line:
        await line.ended(*await line.enqueue("short", 300))
        (long,) = await line.enqueue("short", payload=b'{"long":true}')
        rest = await line.enqueue("short", 50)
        await line.until(lambda: line.runner.running == [long])
        await line.in_status(Status.QUEUED, *rest)
        assert {one.attempt for one in await line.engine.get_many(rest)} == {0}
        gate.set()
        await line.ended(long, *rest)


async def test_max_concurrency_holds_an_execution_back_and_lets_others_pass():
    line = Line(default=3)
    line.job("one-by-one", max_concurrency=1)(forever)
    line.job("free")(no_op)
    async with line:
        first, second = await line.enqueue("one-by-one", 2)
        await line.ended(*await line.enqueue("free", 20))
        assert line.runner.running == [first]
        await line.engine.cancel_many([first])
        await line.until(lambda: line.runner.running == [second])


async def test_progress_and_lines_of_a_run_are_written_while_it_goes_on_and_at_its_end():
    line = Line()
    gate = asyncio.Event()

    @line.job("talk")
    async def talk(_execution, observer):
        observer.progress(Progress(40, "half"))
        observer.lines([LogLine(1, "stdout", "info", "early")])
        await gate.wait()
        observer.progress(Progress(100, "whole"))
        observer.lines([LogLine(2, "log", "warning", "late")])
        return outcomes.succeeded(None)

    async with line:
        (one,) = await line.enqueue("talk")

        async def half() -> bool:
            return (await line.record(one)).progress == Progress(40, "half")

        await line.until(half)
        assert [text.line for _, text in await line.engine.logs(one)] == ["early"]
        gate.set()
        (record,) = await line.ended(one)
        lines = [text.line for _, text in await line.engine.logs(one)]
    assert record.progress == Progress(100, "whole")
    assert lines == ["early", "late"]


async def test_a_lane_with_a_backlog_beside_an_empty_one_is_drained_without_another_call_of_the_engine():
    line = Line(busy=2, empty=2)
    line.job("short")(no_op)
    async with line:
        ids = await line.enqueue("short", count=400, topic="busy")  # rung once, for all of them
        records = await line.ended(*ids)
    assert {one.status for one in records} == {Status.COMPLETED}


async def test_a_lane_that_its_limit_held_back_goes_on_while_another_one_is_never_idle():
    line = Line(busy=1, few=3)
    stopped = asyncio.Event()

    @line.job("busy")
    async def busy(execution, _observer):
        if not stopped.is_set():
            await line.enqueue("busy", topic="busy")
        return outcomes.succeeded(b"null")

    @line.job("few", max_concurrency=1)
    async def few(execution, _observer):
        await asyncio.sleep(0.001)
        return outcomes.succeeded(b"null")

    async with line:
        await line.enqueue("busy", count=5, topic="busy")
        try:
            records = await line.ended(*await line.enqueue("few", count=30, topic="few"))
        finally:
            stopped.set()
    assert {one.status for one in records} == {Status.COMPLETED}
