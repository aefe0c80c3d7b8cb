"""One run of one handler."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from netscript_workers.authoring.context import JobContext
from netscript_workers.authoring.encode import UnencodableResultError, encode_result
from netscript_workers.authoring.handler import Handler
from netscript_workers.authoring.invoke import invoke_async, invoke_sync
from netscript_workers.domain.execution import Execution, LogLine, Progress, Status, TriggeredBy
from netscript_workers.domain.ids import IdFactory
from netscript_workers.domain.outcome import Kind, Outcome, timed_out
from netscript_workers.domain.target import JOB_MAX_RETRIES, JOB_TIMEOUT_MS, Concept
from netscript_workers.errors import PayloadError, UsageError
from netscript_workers.testing.handlers import find_handler

_TOO_MANY_LINES: Final = 100_000


@dataclass
class JobRun:
    """How one run went: its outcome, and what it reported on the way, in order."""

    outcome: Outcome
    progress: list[Progress] = field(default_factory=list[Progress])
    lines: list[LogLine] = field(default_factory=list[LogLine])

    @property
    def succeeded(self) -> bool:
        """True when the run returned a value or `success(…)`."""
        return self.outcome.kind is Kind.SUCCEEDED

    @property
    def result(self) -> Any:
        """The result, or the data of a failure, as a caller would read it: plain JSON values."""
        return None if self.outcome.result is None else msgspec.json.decode(self.outcome.result)

    @property
    def error(self) -> str | None:
        """Why the run failed (a traceback after an exception); None when it succeeded."""
        return self.outcome.error

    @property
    def retry(self) -> bool:
        """Whether a failed run would be tried again while attempts are left."""
        return not self.succeeded and self.outcome.retry


class _Recorder:
    def __init__(self) -> None:
        self.reports: list[Progress] = []
        self.kept: list[LogLine] = []

    def progress(self, progress: Progress) -> None:
        self.reports.append(progress)

    def lines(self, lines: Sequence[LogLine]) -> None:
        if len(self.kept) < _TOO_MANY_LINES:
            self.kept.extend(lines)


def run_job(  # noqa: PLR0913 - what a context says, one by one
    job: Callable[..., Any] | str,
    payload: Any = None,
    *,
    config: str | os.PathLike[str] | None = None,
    attempt: int = 1,
    max_attempts: int | None = None,
    timeout_ms: int | None = None,
    cancelled: bool = False,
    correlation_id: str | None = None,
    traceparent: str | None = None,
    tracestate: str | None = None,
) -> JobRun:
    """Run a handler once, here and now, as the daemon would: payload checked, result encoded, exceptions caught.

    `job` is a function with or without `@job`, plain or async, or the id of a job in the project of `config`.
    Keywords set what its context says; `cancelled` makes `ctx.cancelled` true from the beginning. An async
    handler is ended at its timeout. Never raises for what the handler does; `PayloadError` when `payload` is
    no JSON object. In a running event loop use `run_job_async`.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise UsageError("run_job cannot wait inside a running event loop: await run_job_async(…) there")
    return asyncio.run(
        run_job_async(
            job,
            payload,
            config=config,
            attempt=attempt,
            max_attempts=max_attempts,
            timeout_ms=timeout_ms,
            cancelled=cancelled,
            correlation_id=correlation_id,
            traceparent=traceparent,
            tracestate=tracestate,
        )
    )


async def run_job_async(  # noqa: PLR0913 - as above
    job: Callable[..., Any] | str,
    payload: Any = None,
    *,
    config: str | os.PathLike[str] | None = None,
    attempt: int = 1,
    max_attempts: int | None = None,
    timeout_ms: int | None = None,
    cancelled: bool = False,
    correlation_id: str | None = None,
    traceparent: str | None = None,
    tracestate: str | None = None,
) -> JobRun:
    """Do what `run_job` does, in a running event loop; a plain function runs in a thread."""
    handler = find_handler(job, config)
    said = handler.declaration
    timeout = timeout_ms or said.timeout or JOB_TIMEOUT_MS
    attempts = max_attempts or (JOB_MAX_RETRIES if said.max_retries is None else said.max_retries) + 1
    now = time.time_ns() // 1_000_000
    recorder = _Recorder()
    ctx = JobContext(
        execution=Execution(
            id=IdFactory().new(now),
            concept=Concept.JOB,
            target=handler.target_id,
            topic=said.topic or "default",
            status=Status.RUNNING,
            triggered_by=TriggeredBy.MANUAL,
            triggered_at=now,
            payload=_encoded(payload),
            priority=50,
            attempt=attempt,
            max_attempts=attempts,
            started_at=now,
            correlation_id=correlation_id,
            traceparent=traceparent,
            tracestate=tracestate,
        ),
        max_attempts=attempts,
        deadline=now + timeout,
        observer=recorder,
    )
    if cancelled:
        ctx.mark_cancelled()
    outcome = await _outcome(handler, ctx, timeout)
    return JobRun(outcome, recorder.reports, recorder.kept)


async def _outcome(handler: Handler, ctx: JobContext, timeout: int) -> Outcome:
    if not handler.is_async:
        return await asyncio.to_thread(invoke_sync, handler, ctx)
    # Only the end of this very run is its timeout: a TimeoutError of the handler's own is an exception like
    # any other.
    run = asyncio.ensure_future(invoke_async(handler, ctx))
    try:
        await asyncio.wait({run}, timeout=timeout / 1000)
    finally:
        late = not run.done()
        if late:
            ctx.mark_cancelled()
            run.cancel()
            await asyncio.wait({run}, timeout=1)
    return (
        timed_out(f"still running after its timeout of {timeout} ms; it was stopped")
        if late
        else run.result()
    )


def _encoded(payload: Any) -> bytes:
    try:
        raw = b"{}" if payload is None else encode_result(payload)
    except UnencodableResultError as error:
        raise PayloadError(f"the payload is not JSON: {error}") from None
    if raw[:1] != b"{":
        raise PayloadError(f"the payload must be a JSON object, not a {type(payload).__name__}")
    return raw
