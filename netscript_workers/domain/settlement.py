"""The one judgement: what an attempt's outcome means for its execution (ARCHITECTURE decision 1).

No other code decides whether something is retried, given back, buried or done.
"""

from enum import StrEnum
from typing import Final

import msgspec

from netscript_workers.domain.execution import Execution, LogLine, Status
from netscript_workers.domain.outcome import Kind, Outcome
from netscript_workers.domain.retry import RetryPolicy, retry_delay_ms
from netscript_workers.domain.target import Target


class Action(StrEnum):
    """What becomes of the execution."""

    COMPLETE = "complete"
    RETRY = "retry"
    GIVE_BACK = "give-back"
    DEAD_LETTER = "dead-letter"
    CANCEL = "cancel"


class AttemptRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What one attempt leaves behind. Times are ms since 1970; memory is bytes; `cause` is None for a success."""

    attempt: int
    worker_id: str | None
    started_at: int | None
    completed_at: int
    cause: str | None = None
    error: str | None = None
    exit_code: int | None = None
    peak_memory: int | None = None
    cpu_ms: int | None = None


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine must write, in one durable step, to end an attempt.

    `token` fences: the engine applies the settlement only if the claim it came from is still the live one.
    `delay_ms` (a retry's) counts from the engine's clock. `attempt` is what the record shows afterwards: one less after a
    give-back, since an interruption uses up none. `keep_ms` is how long the finished record stays live, `archive_ms` how
    long it stays in the archive after that; both 0 for one that is not finished. `lines` are the run's last log lines not
    recorded yet. `record` is None when nothing of the attempt is to be kept (a give-back of a run that never started).
    """

    execution_id: str
    token: int
    action: Action
    status: Status
    attempt: int
    max_attempts: int
    started_at: int | None
    completed_at: int | None = None
    delay_ms: int = 0
    error: str | None = None
    result: bytes | None = None
    exit_code: int | None = None
    record: AttemptRecord | None = None
    keep_ms: int = 0
    archive_ms: int = 0
    lines: tuple[LogLine, ...] = ()


class Retain(msgspec.Struct, frozen=True):
    """How long a finished execution's record stays: live, then archived, in ms."""

    keep_ms: int
    archive_ms: int


_DAY_MS: Final = 86_400_000
_DEFAULT_RETAIN: Final = Retain(7 * _DAY_MS, 90 * _DAY_MS)


def retain_of(target: Target | None) -> Retain:
    """Return how long a finished execution of `target` is kept; an unknown target has the defaults of SPEC section 4.

    A task with `persist = false` is never archived: its record ends with its live age.
    """
    if target is None:
        return _DEFAULT_RETAIN
    retention = target.retention
    archive_days = retention.db_days if target.persist else 0
    return Retain(retention.kv_days * _DAY_MS, archive_days * _DAY_MS)


def decide(
    execution: Execution,
    outcome: Outcome,
    policy: RetryPolicy,
    retain: Retain,
    now: int,
    *,
    started_at: int | None = None,
    lines: tuple[LogLine, ...] = (),
) -> Settlement:
    """Say what `outcome` means for `execution`.

    Success completes. A cancellation cancels. An interruption gives the execution back and uses up no attempt (SPEC
    section 10). Everything else is retried after the policy's delay while attempts are left and the outcome allows it,
    else it is a dead letter with status `timeout` or `failed`.
    """
    kind = outcome.kind
    delay_ms = 0
    attempt = execution.attempt
    if kind is Kind.SUCCEEDED:
        action, status = Action.COMPLETE, Status.COMPLETED
    elif kind is Kind.CANCELLED:
        action, status = Action.CANCEL, Status.CANCELLED
    elif kind is Kind.INTERRUPTED:
        action, status, attempt = Action.GIVE_BACK, Status.QUEUED, execution.attempt - 1
    elif outcome.retry and execution.attempt < policy.max_attempts:
        delay_ms = retry_delay_ms(policy, execution.attempt)
        action, status = Action.RETRY, Status.PENDING if delay_ms else Status.QUEUED
    else:
        action, status = Action.DEAD_LETTER, Status.TIMEOUT if kind is Kind.TIMED_OUT else Status.FAILED
    finished = action in (Action.COMPLETE, Action.CANCEL, Action.DEAD_LETTER)
    record = None
    if kind is not Kind.INTERRUPTED or started_at is not None:
        usage = outcome.usage
        record = AttemptRecord(
            attempt=execution.attempt,
            worker_id=execution.worker_id,
            started_at=started_at,
            completed_at=now,
            cause=outcome.cause,
            error=outcome.error,
            exit_code=outcome.exit_code,
            peak_memory=usage.peak_memory if usage else None,
            cpu_ms=usage.cpu_ms if usage else None,
        )
    return Settlement(
        execution_id=execution.id,
        token=execution.token,
        action=action,
        status=status,
        attempt=attempt,
        max_attempts=policy.max_attempts,
        started_at=started_at,
        completed_at=now if finished else None,
        delay_ms=delay_ms,
        error=outcome.error,
        result=outcome.result,
        exit_code=outcome.exit_code,
        record=record,
        keep_ms=retain.keep_ms if finished else 0,
        archive_ms=retain.archive_ms if finished else 0,
        lines=lines,
    )
