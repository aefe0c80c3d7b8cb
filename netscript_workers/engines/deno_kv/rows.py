"""Rows as they come out of the file, and the records made of them."""

from typing import Any

import msgspec

from netscript_workers.domain.execution import Execution, Progress, Status, TriggeredBy
from netscript_workers.domain.target import Concept


class Row(msgspec.Struct, array_like=True, frozen=True):
    """One execution, in the order of `get.sql`."""

    seq: int
    id: str
    concept: Concept
    target: str
    topic: str
    status: Status
    triggered_by: TriggeredBy
    triggered_at: int
    payload: str
    priority: int
    attempt: int
    max_attempts: int
    token: int
    due_at: int | None
    started_at: int | None
    completed_at: int | None
    exit_code: int | None
    error: str | None
    result: str | None
    worker_id: str | None
    correlation_id: str | None
    idempotency_key: str | None
    traceparent: str | None
    tracestate: str | None
    progress: str | None
    peak_memory: int | None
    cpu_ms: int | None

    def execution(self) -> Execution:
        """Return the record."""
        return Execution(
            id=self.id,
            concept=self.concept,
            target=self.target,
            topic=self.topic,
            status=self.status,
            triggered_by=self.triggered_by,
            triggered_at=self.triggered_at,
            payload=self.payload.encode(),
            priority=self.priority,
            attempt=self.attempt,
            max_attempts=self.max_attempts,
            token=self.token,
            due_at=self.due_at,
            started_at=self.started_at,
            completed_at=self.completed_at,
            exit_code=self.exit_code,
            error=self.error,
            result=None if self.result is None else self.result.encode(),
            worker_id=self.worker_id,
            correlation_id=self.correlation_id,
            idempotency_key=self.idempotency_key,
            traceparent=self.traceparent,
            tracestate=self.tracestate,
            progress=None if self.progress is None else _progress(self.progress),
        )


class Candidate(msgspec.Struct, array_like=True, frozen=True):
    """One row that a claim may take, in the order of `look.sql`."""

    lane: int
    place: int
    parked: int
    seq: int
    id: str
    concept: Concept
    target: str
    topic: str
    triggered_by: TriggeredBy
    triggered_at: int
    payload: str
    priority: int
    attempt: int
    max_attempts: int
    correlation_id: str | None
    idempotency_key: str | None
    traceparent: str | None
    tracestate: str | None


class Look(msgspec.Struct, array_like=True, frozen=True):
    """The answer of `look.sql`."""

    next_due: int | None
    has_parked: int
    running: dict[str, int]
    candidates: list[Candidate]


read_rows = msgspec.json.Decoder(list[Row]).decode
read_look = msgspec.json.Decoder(Look).decode
read_candidates = msgspec.json.Decoder(list[Candidate]).decode
read_texts = msgspec.json.Decoder(list[str]).decode
read_numbers = msgspec.json.Decoder(list[int]).decode
_progress = msgspec.json.Decoder(Progress).decode


def batch(values: Any) -> str:
    """Write a batch as the one JSON parameter that a statement expands."""
    return msgspec.json.encode(values).decode()


def writable(text: str | None) -> str | None:
    """Return `text` without what UTF-8 cannot hold (lone surrogates) or SQLite cuts at (NUL)."""
    if text is None:
        return None
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
