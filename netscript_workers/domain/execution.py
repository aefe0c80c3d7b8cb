"""Executions: one enqueued run of a target, its states, and the moves between them.

Times are milliseconds since 1970 (UTC) by the engine's own clock. Payloads and results are JSON as bytes, so that
nobody on the way decodes and encodes what it does not read.
"""

from enum import StrEnum
from typing import Any, Final

import msgspec

from netscript_workers.domain.target import DEFAULT_PRIORITY, DEFAULT_TOPIC, Concept


class Status(StrEnum):
    """Where an execution stands (SPEC section 3)."""

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"


class TriggeredBy(StrEnum):
    """What caused the execution (SPEC section 11)."""

    CRON = "cron"
    MANUAL = "manual"
    API = "api"
    EVENT = "event"
    RETRY = "retry"
    QUEUE = "queue"


FINISHED: Final = frozenset({Status.COMPLETED, Status.FAILED, Status.TIMEOUT, Status.CANCELLED})
DEAD: Final = frozenset({Status.FAILED, Status.TIMEOUT})
LEGAL_MOVES: Final[dict[Status, frozenset[Status]]] = {
    Status.PENDING: frozenset({Status.QUEUED, Status.CANCELLED, Status.FAILED}),
    Status.QUEUED: frozenset({Status.RUNNING, Status.CANCELLED, Status.FAILED}),
    Status.RUNNING: frozenset(
        {
            Status.QUEUED,  # given back by a shutdown, or retried without delay
            Status.PENDING,  # waits for its retry
            Status.COMPLETED,
            Status.FAILED,
            Status.TIMEOUT,
            Status.CANCELLED,
        }
    ),
    Status.COMPLETED: frozenset({Status.QUEUED}),  # run again by hand
    Status.FAILED: frozenset({Status.QUEUED}),
    Status.TIMEOUT: frozenset({Status.QUEUED}),
    Status.CANCELLED: frozenset({Status.QUEUED}),
}


class Progress(msgspec.Struct, frozen=True):
    """How far a run says it is: `percent` 0 to 100 and a message."""

    percent: float
    message: str | None = None


class LogLine(msgspec.Struct, frozen=True, array_like=True):
    """One captured line. `time` is ms since 1970; `stream` is `stdout`, `stderr` or `log`; `level` a logging name."""

    time: int
    stream: str
    level: str
    line: str


class NewExecution(msgspec.Struct, frozen=True, kw_only=True):
    """What an enqueuer hands to the queue. `delay_ms` counts from the engine's own clock; 0 is now.

    `max_attempts` is what the enqueuer's catalog says (the worker's own definition has the last word).
    """

    id: str
    concept: Concept
    target: str
    topic: str = DEFAULT_TOPIC
    payload: bytes = b"{}"
    priority: int = DEFAULT_PRIORITY
    delay_ms: int = 0
    max_attempts: int = 1
    triggered_by: TriggeredBy = TriggeredBy.MANUAL
    idempotency_key: str | None = None
    correlation_id: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None


class Enqueued(msgspec.Struct, frozen=True):
    """The answer to one enqueue: the id that stands in the queue, and whether it was there before."""

    id: str
    deduplicated: bool = False


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """The record of an execution, as the engine holds it.

    `attempt` counts from 1 once claimed (0 before). `token` fences a claim: every claim of an execution has a new one,
    and a settlement or renewal with an old one is refused. `due_at` is when a `pending` one becomes due.
    `exit_code` is a program's exit status, or minus the signal's number.
    """

    id: str
    concept: Concept
    target: str
    topic: str
    status: Status
    triggered_by: TriggeredBy
    triggered_at: int
    payload: bytes
    priority: int
    attempt: int
    max_attempts: int
    token: int = 0
    due_at: int | None = None
    started_at: int | None = None
    completed_at: int | None = None
    exit_code: int | None = None
    error: str | None = None
    result: bytes | None = None
    worker_id: str | None = None
    correlation_id: str | None = None
    idempotency_key: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None
    progress: Progress | None = None

    def decoded_payload(self) -> Any:
        """Return the payload as plain JSON values."""
        return msgspec.json.decode(self.payload)

    def decoded_result(self) -> Any:
        """Return the result as plain JSON values; None when there is none."""
        return None if self.result is None else msgspec.json.decode(self.result)


def may_move(before: Status, after: Status) -> bool:
    """Tell whether an execution may go from `before` to `after`."""
    return after in LEGAL_MOVES[before]
