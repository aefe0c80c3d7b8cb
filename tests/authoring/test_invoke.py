"""Runs of handlers: whatever they do becomes an outcome."""

import asyncio
import functools

import pytest

from netscript_workers import Abort, create_failure_result, create_success_result, failure, success
from netscript_workers.authoring.invoke import invoke_async, invoke_sync
from netscript_workers.domain.outcome import Cause, Kind
from support.authoring import context, handler_of, run


class BrokenError(Exception):
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


def returning(value):
    def plain(ctx):
        return value

    async def later(ctx):
        return value

    return [plain, later]


def raising(make):
    def plain(ctx):
        raise make()

    async def later(ctx):
        raise make()

    return [plain, later]


@pytest.mark.parametrize("function", returning({"a": 1}) + returning(success({"a": 1})))
async def test_a_value_and_a_success_become_the_result(function):
    outcome = await run(function)
    assert (outcome.kind, outcome.result, outcome.error) == (Kind.SUCCEEDED, b'{"a":1}', None)


@pytest.mark.parametrize(
    "function", returning(None) + returning(success()) + returning(create_success_result())
)
async def test_nothing_becomes_null(function):
    assert (await run(function)).result == b"null"


@pytest.mark.parametrize("function", returning(failure("card declined", {"code": 5})))
async def test_a_failure_keeps_its_error_and_data_and_may_be_retried(function):
    outcome = await run(function)
    assert (outcome.kind, outcome.cause) == (Kind.FAILED, Cause.FAILURE)
    assert (outcome.error, outcome.result, outcome.retry) == ("card declined", b'{"code":5}', True)


@pytest.mark.parametrize("function", returning(create_failure_result("never", retry=False)))
async def test_a_failure_may_forbid_the_retry(function):
    assert (await run(function)).retry is False


async def test_a_failure_of_an_exception_says_its_type():
    outcome = await run(lambda ctx: failure(ValueError("bad")))
    assert outcome.error == "ValueError: bad"


async def test_a_failure_whose_data_is_not_json_still_says_its_error():
    outcome = await run(lambda ctx: failure("declined", {"x": object()}))
    assert outcome.error is not None
    assert outcome.error.startswith("declined")
    assert "$.x" in outcome.error
    assert outcome.result is None


@pytest.mark.parametrize("function", raising(lambda: Abort("wrong account")))
async def test_an_abort_fails_for_good(function):
    outcome = await run(function)
    assert (outcome.kind, outcome.cause, outcome.retry) == (Kind.FAILED, Cause.FAILURE, False)
    assert outcome.error == "wrong account"


@pytest.mark.parametrize("function", raising(lambda: LookupError("gone")))
async def test_an_exception_fails_the_attempt_with_a_traceback_that_begins_at_the_handler(function):
    outcome = await run(function)
    assert (outcome.kind, outcome.cause, outcome.retry) == (Kind.FAILED, Cause.EXCEPTION, True)
    lines = (outcome.error or "").splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert __file__ in lines[1]
    assert lines[-1] == "LookupError: gone"
    assert "authoring/invoke.py" not in (outcome.error or "").replace(__file__, "")


async def test_the_cause_of_an_exception_is_told_too():
    def handler(ctx):
        try:
            {}["first"]
        except KeyError as error:
            raise ValueError("second") from error

    error = (await run(handler)).error or ""
    assert "KeyError: 'first'" in error
    assert "direct cause" in error


@pytest.mark.parametrize("function", raising(BrokenError) + raising(SystemExit) + raising(KeyboardInterrupt))
async def test_exceptions_of_every_kind_end_their_run_and_nothing_else(function):
    outcome = await run(function)
    assert (outcome.kind, outcome.cause) == (Kind.FAILED, Cause.EXCEPTION)
    assert type(outcome.error) is str


async def test_an_abort_with_a_broken_text_is_still_an_abort():
    class BrokenAbort(Abort):
        __str__ = BrokenError.__str__

    def handler(ctx):
        raise BrokenAbort

    outcome = await run(handler)
    assert outcome.retry is False
    assert "BrokenAbort" in (outcome.error or "")


async def test_an_error_of_a_megabyte_is_cut_in_the_middle():
    def handler(ctx):
        raise ValueError("begin" + "x" * 1_000_000 + "\udc80 end")

    error = (await run(handler)).error or ""
    assert len(error) < 40_000
    assert "left out" in error
    assert error.endswith("end")
    error.encode()


async def test_a_result_that_is_not_json_fails_without_retry():
    outcome = await run(lambda ctx: {"items": [{"when": object()}]})
    assert (outcome.kind, outcome.cause, outcome.retry) == (Kind.FAILED, Cause.FAILURE, False)
    assert outcome.error == "the result is not JSON: $.items[0].when: object of type object has no JSON form"


async def test_a_cancellation_goes_out():
    begun = asyncio.Event()

    async def handler(ctx):
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.ensure_future(invoke_async(handler_of(handler), context()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_that_the_handler_made_itself_is_an_exception():
    async def handler(ctx):
        inner = asyncio.ensure_future(asyncio.sleep(60))
        inner.cancel()
        await inner

    outcome = await run(handler)
    assert (outcome.kind, outcome.cause) == (Kind.FAILED, Cause.EXCEPTION)
    assert "CancelledError" in (outcome.error or "")


async def test_a_handler_that_outlives_its_cancellation_has_an_outcome():
    begun = asyncio.Event()

    async def handler(ctx):
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "saved"

    task = asyncio.ensure_future(invoke_async(handler_of(handler), context()))
    await begun.wait()
    task.cancel()
    assert (await task).result == b'"saved"'


async def test_a_plain_function_that_returns_a_coroutine_is_told_to_be_async():
    async def work():
        return 1

    outcome = invoke_sync(handler_of(lambda ctx: work()), context())
    assert "async def" in (outcome.error or "")
    assert outcome.retry is False
    assert (await invoke_async(handler_of(lambda ctx: work()), context())).result == b"1"


async def test_the_second_parameter_gets_the_payload():
    async def handler(ctx, payload):
        payload["n"] += 1
        return payload, ctx.payload

    assert (await run(handler, {"n": 1})).result == b'[{"n":2},{"n":1}]'


async def test_partials_and_callable_objects_are_handlers_too():
    async def greet(greeting, ctx, payload: dict):
        return greeting + payload["name"]

    class Counter:
        async def __call__(self, ctx):
            return 7

    partial = functools.partial(greet, "hello ")
    assert (await run(partial, {"name": "Ada"})).result == b'"hello Ada"'
    assert (await run(Counter())).result == b"7"


async def test_a_payload_that_is_no_object_fails_without_retry_when_it_is_read():
    outcome = await run(lambda ctx: ctx.payload["x"], b"[]")
    assert outcome.retry is False
    assert "no JSON object" in (outcome.error or "")
