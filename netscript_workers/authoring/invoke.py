"""Runs one handler once and says how it ended, whatever it does.

The hot path of every mode: nothing is looked up per run.
"""

import asyncio
import inspect
from typing import Any

from netscript_workers.authoring.context import JobContext, UndecodablePayloadError
from netscript_workers.authoring.encode import UnencodableResultError, encode_result
from netscript_workers.authoring.handler import Handler
from netscript_workers.authoring.payload import PayloadRefusedError
from netscript_workers.authoring.results import Abort, Failure, Success
from netscript_workers.authoring.text import bounded, safe_str, traceback_text
from netscript_workers.domain.outcome import Cause, Outcome, failed, succeeded


async def invoke_async(handler: Handler, ctx: JobContext) -> Outcome:
    """Run `handler` on the running event loop; a plain function runs right here and blocks the loop.

    Lets `asyncio.CancelledError` out when this task is being cancelled. One that the handler raised by itself
    is an exception.
    """
    try:
        decode = handler.decode
        value = (
            handler.function(ctx) if decode is None else handler.function(ctx, decode(ctx.execution.payload))
        )
        if handler.is_async or inspect.isawaitable(value):
            value = await value
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling() or ctx.cancelled:
            raise
        return _failed_by(error)
    except GeneratorExit:
        raise
    except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt of a handler end its run, not the daemon
        return _failed_by(error)
    return _returned(value)


def invoke_sync(handler: Handler, ctx: JobContext) -> Outcome:
    """Run a plain function in this thread and return its outcome; lets `asyncio.CancelledError` out."""
    try:
        decode = handler.decode
        value = (
            handler.function(ctx) if decode is None else handler.function(ctx, decode(ctx.execution.payload))
        )
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - as above
        return _failed_by(error)
    if inspect.iscoroutine(value):
        value.close()
        return failed(
            f"job {handler.target_id!r} is a plain function, yet returned a coroutine: make it `async def`",
            retry=False,
        )
    return _returned(value)


def _returned(value: Any) -> Outcome:
    if isinstance(value, Failure):
        return _failure(value)
    if isinstance(value, Success):
        value = value.data
    try:
        return succeeded(encode_result(value))
    except UnencodableResultError as error:
        return failed(bounded(f"the result is not JSON: {error}"), retry=False)


def _failure(value: Failure) -> Outcome:
    error = bounded(safe_str(value.error))
    try:
        data = None if value.data is None else encode_result(value.data)
    except UnencodableResultError as unencodable:
        return failed(f"{error}\n(its data is not JSON: {bounded(str(unencodable))})", retry=value.retry)
    return failed(error, result=data, retry=value.retry)


def _failed_by(error: BaseException) -> Outcome:
    if isinstance(error, (PayloadRefusedError, UndecodablePayloadError)):
        return failed(bounded(str(error)), retry=False)
    if isinstance(error, Abort):
        return failed(bounded(safe_str(error)) or "aborted", Cause.FAILURE, retry=False)
    return failed(traceback_text(error), Cause.EXCEPTION)
