"""Rows as they come out of the database, and the records made of them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from netscript_workers.domain.execution import Execution, Progress, Status, TriggeredBy
from netscript_workers.domain.target import Concept

if TYPE_CHECKING:
    from asyncpg import Record

_CONCEPTS: Final[Mapping[str, Concept]] = {one.value: one for one in Concept}
_STATUSES: Final[Mapping[str, Status]] = {one.value: one for one in Status}
_TRIGGERS: Final[Mapping[str, TriggeredBy]] = {one.value: one for one in TriggeredBy}
_progress = msgspec.json.Decoder(Progress).decode


def record_of(row: "Record") -> Execution:
    """Return the record of a row in the order of `get.sql`."""
    progress: str | None = row[23]
    return Execution(
        id=row[0],
        concept=_CONCEPTS[row[1]],
        target=row[2],
        topic=row[3],
        status=_STATUSES[row[4]],
        triggered_by=_TRIGGERS[row[5]],
        triggered_at=row[6],
        payload=row[7],
        priority=row[8],
        attempt=row[9],
        max_attempts=row[10],
        token=row[11],
        due_at=row[12],
        started_at=row[13],
        completed_at=row[14],
        exit_code=row[15],
        error=row[16],
        result=row[17],
        worker_id=row[18],
        correlation_id=row[19],
        idempotency_key=row[20],
        traceparent=row[21],
        tracestate=row[22],
        progress=None if progress is None else _progress(progress),
    )


def claim_of(row: "Record", token: int, worker_id: str) -> Execution:
    """Return the record of a claim just made, from a row of `netscript.claim`."""
    (
        execution_id,
        concept,
        target,
        topic,
        trigger,
        triggered_at,
        payload,
        priority,
        attempt,
        most,
        started,
        correlation,
        key,
        parent,
        state,
    ) = row
    return Execution(
        id=execution_id,
        concept=_CONCEPTS[concept],
        target=target,
        topic=topic,
        status=Status.RUNNING,
        triggered_by=_TRIGGERS[trigger],
        triggered_at=triggered_at,
        payload=payload,
        priority=priority,
        attempt=attempt,
        max_attempts=most,
        token=token,
        started_at=started,
        worker_id=worker_id,
        correlation_id=correlation,
        idempotency_key=key,
        traceparent=parent,
        tracestate=state,
    )


def writable(text: str | None) -> str | None:
    """Return `text` without what PostgreSQL's text cannot hold: lone surrogates and NUL."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def json_text(value: Any) -> str:
    """Write a value as a JSON parameter."""
    return msgspec.json.encode(value).decode()
