"""Testing handlers without a server."""

import asyncio
import threading

import pytest

from netscript_workers import Abort, Trigger, failure, job, success
from netscript_workers.domain.execution import Progress, Status
from netscript_workers.domain.outcome import Cause, Kind
from netscript_workers.errors import DefinitionError, PayloadError, UsageError, WaitTimeoutError
from netscript_workers.testing import LocalWorker, drain, run_job, run_job_async
from support.modules import modules_in


@job("greet", timeout="2s", max_retries=1)
async def greet(ctx, payload: dict):
    ctx.report_progress(50, "half")
    ctx.log.info("hello %s", payload["name"])
    return success({"greeting": f"hello {payload['name']}", "attempt": ctx.attempt, "of": ctx.max_attempts})


def test_one_run_tells_its_result_progress_and_lines():
    run = run_job(greet, {"name": "Ada"}, attempt=2)
    assert run.succeeded
    assert run.error is None
    assert run.retry is False
    assert run.result == {"greeting": "hello Ada", "attempt": 2, "of": 2}
    assert run.progress == [Progress(50, "half")]
    assert [line.line for line in run.lines] == ["hello Ada"]


async def test_inside_an_event_loop_it_is_awaited():
    assert (await run_job_async(greet, {"name": "Bo"})).succeeded
    with pytest.raises(UsageError, match="run_job_async"):
        run_job(greet, {"name": "Bo"})


def test_what_a_handler_does_wrong_is_told_and_not_raised():
    def aborts(ctx):
        raise Abort("no")

    assert (run_job(aborts).error, run_job(aborts).retry) == ("no", False)
    assert run_job(lambda ctx: failure("x")).retry is True
    crashed = run_job(lambda ctx: 1 / 0)
    assert crashed.outcome.cause is Cause.EXCEPTION
    assert "ZeroDivisionError" in (crashed.error or "")
    assert run_job(greet, {}).retry is True
    refused = run_job(job("typed")(_typed), {"n": "x"})
    assert "n: " in (refused.error or "")


def _typed(ctx, payload: dict[str, int]): ...


def test_the_context_says_what_the_test_wants():
    def tell(ctx):
        return [ctx.cancelled, ctx.correlation_id, ctx.traceparent, ctx.tracestate, ctx.max_attempts, ctx.job]

    run = run_job(tell, cancelled=True, correlation_id="c", traceparent="t", tracestate="s", max_attempts=9)
    assert run.result == [True, "c", "t", "s", 9, "tell"]


def test_an_async_handler_is_ended_at_its_timeout():
    async def sleeps(ctx):
        await asyncio.Event().wait()

    assert run_job(sleeps, timeout_ms=20).outcome.kind is Kind.TIMED_OUT


def test_a_payload_that_is_no_object_is_refused():
    with pytest.raises(PayloadError):
        run_job(greet, [1])


async def test_a_drain_runs_everything_retries_included():
    attempts = []

    @job("flaky", max_retries=2, retry_delay="1h")
    async def flaky(ctx):
        attempts.append(ctx.attempt)
        if ctx.attempt < 3:
            raise ConnectionError("down")
        return "up"

    @job("hopeless", max_retries=1)
    def hopeless(ctx):
        return failure("always")

    async with LocalWorker(flaky, hopeless, greet) as worker:
        await worker.trigger("flaky")
        await worker.trigger("hopeless")
        await worker.trigger_many("greet", [{"name": "a"}, {"name": "b"}])
        records = await worker.drain()
    assert attempts == [1, 2, 3]
    assert [(record.target, record.status, record.attempt) for record in records] == [
        ("flaky", Status.COMPLETED, 3),
        ("hopeless", Status.FAILED, 2),
        ("greet", Status.COMPLETED, 1),
        ("greet", Status.COMPLETED, 1),
    ]


async def test_a_handler_may_enqueue_more_while_the_queue_drains():
    async with LocalWorker(greet, job("parent")(lambda ctx: None)) as worker:

        @job("chain")
        async def chain(ctx): ...

        async def parent(ctx):
            await worker.trigger("greet", {"name": "child"})

        async with LocalWorker(job("spawner")(parent)) as other:
            await other.trigger("spawner")
            await other.drain()
        (record,) = await worker.drain()
        assert record.target == "greet"


async def test_what_is_delayed_waits_until_the_clock_is_moved():
    async with LocalWorker(greet) as worker:
        await worker.trigger("greet", {"name": "x"}, delay="10m")
        assert [record.status for record in await worker.drain()] == [Status.PENDING]
        worker.advance("11m")
        assert [record.status for record in await worker.drain()] == [Status.COMPLETED]


async def test_a_drain_has_a_bound():
    async def sleeps(ctx):
        await asyncio.Event().wait()

    async with LocalWorker(job("sleeps")(sleeps)) as worker:
        enqueued = await worker.trigger("sleeps")
        with pytest.raises(WaitTimeoutError, match="50 ms"):
            await worker.drain(50)
        assert (await worker.get(enqueued.id)).status is Status.QUEUED


async def test_plain_functions_run_beside_the_loop():
    threads = set()

    @job("where")
    def where(ctx):
        threads.add(threading.current_thread())

    async with LocalWorker(where) as worker:
        await worker.trigger("where")
        await worker.drain()
    assert threads
    assert threading.current_thread() not in threads


async def test_concurrency_is_what_the_test_asks_for():
    running, most = 0, 0

    @job("count")
    async def count(ctx):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1

    async with LocalWorker(count, concurrency=2) as worker:
        await worker.trigger_many("count", [{}] * 20)
        await worker.drain()
    assert most == 2


def test_a_drain_needs_no_event_loop_of_the_test():
    records = drain(greet, triggers=[Trigger("greet", {"name": "x"}), Trigger("greet", {"name": "y"})])
    assert [record.decoded_result()["greeting"] for record in records] == ["hello x", "hello y"]


async def test_a_project_is_drained_by_its_config(tmp_path):
    with modules_in(tmp_path / "workers" / "jobs") as modules:
        modules.write("hello.py", "def handler(ctx, payload: dict): return payload['n'] + 1")
        config = tmp_path / "config.toml"
        config.write_text('[[jobs]]\nid = "hi"\nentrypoint = "hello.py"\nruntime = "subprocess"\n')
        async with LocalWorker(config=config) as worker:
            await worker.trigger("hi", {"n": 1})
            (record,) = await worker.drain()
    assert (record.status, record.result) == (Status.COMPLETED, b"2")


async def test_a_project_with_a_broken_module_is_refused(tmp_path):
    with modules_in(tmp_path / "workers" / "jobs") as modules:
        modules.write("bad.py", "raise ValueError('at import')")
        (tmp_path / "config.toml").write_text("")
        with pytest.raises(DefinitionError, match="at import"):
            LocalWorker(config=tmp_path / "config.toml")


def test_two_functions_with_one_id_are_refused():
    with pytest.raises(DefinitionError, match="two targets have the id 'greet'"):
        LocalWorker(greet, job("greet")(lambda ctx: 1))


def test_a_worker_without_jobs_says_what_it_takes():
    with pytest.raises(UsageError, match="job functions or config"):
        LocalWorker()


@pytest.mark.parametrize("held", [{"permissions": {"read": []}}, {"limits": {"memory": "1G"}}])
async def test_a_job_with_permissions_or_limits_runs_here_too(held):
    async def here(ctx):
        return ctx.attempt

    async with LocalWorker(job("here", **held)(here)) as worker:
        await worker.trigger("here")
        (record,) = await worker.drain()
        assert (record.status, record.attempt) == (Status.COMPLETED, 1), record.error
