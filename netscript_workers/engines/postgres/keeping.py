"""Finished records whole, as the columns of the statements that keep them."""

from collections.abc import Sequence
from typing import Any

from netscript_workers.domain.execution import Execution, Status
from netscript_workers.domain.settlement import AttemptRecord
from netscript_workers.engines.postgres.rows import json_text, writable
from netscript_workers.engines.postgres.settling import attempt_row
from netscript_workers.ports.archive import Archived

_ATTEMPT_COLUMNS = 10
_LINE_COLUMNS = 6


def success(execution: Execution, peak_memory: int | None, cpu_ms: int | None) -> AttemptRecord:
    """Return the attempt that succeeded, which the execution's own row tells."""
    return AttemptRecord(
        attempt=execution.attempt,
        worker_id=execution.worker_id,
        started_at=execution.started_at,
        completed_at=execution.completed_at or 0,
        exit_code=execution.exit_code,
        peak_memory=peak_memory,
        cpu_ms=cpu_ms,
    )


def columns(records: Sequence[Archived]) -> list[list[Any]]:
    """Return the columns of `keep.sql`, in order."""
    rows = [_row(record) for record in records]
    return [list(column) for column in zip(*rows, strict=True)]


def _row(record: Archived) -> list[Any]:
    one, told = record.execution, _told_by_row(record)
    return [
        one.id,
        one.concept.value,
        one.target,
        one.topic,
        one.status.value,
        one.triggered_by.value,
        one.triggered_at,
        one.payload,
        one.priority,
        one.attempt,
        one.max_attempts,
        one.token,
        one.started_at,
        one.completed_at if one.completed_at is not None else record.archive_at,
        one.exit_code,
        writable(one.error),
        one.result,
        writable(one.worker_id),
        writable(one.correlation_id),
        writable(one.idempotency_key),
        writable(one.traceparent),
        writable(one.tracestate),
        None if one.progress is None else json_text(one.progress),
        record.archive_at,
        record.delete_at,
        None if told is None else told.peak_memory,
        None if told is None else told.cpu_ms,
    ]


def _told_by_row(record: Archived) -> AttemptRecord | None:
    """Return the last attempt where the row of its execution tells all of it: then it has no row of its own."""
    if record.execution.status is not Status.COMPLETED or not record.attempts:
        return None
    last = record.attempts[-1]
    return last if last == success(record.execution, last.peak_memory, last.cpu_ms) else None


def attempt_columns(kept: Sequence[tuple[int, Archived]]) -> list[list[Any]]:
    """Return the columns of `keep_attempts.sql` for records and their row numbers."""
    rows = [
        [seq, *attempt_row(attempt)]
        for seq, record in kept
        for attempt in record.attempts
        if attempt is not _told_by_row(record)
    ]
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[]] * _ATTEMPT_COLUMNS


def line_columns(kept: Sequence[tuple[int, Archived]]) -> list[list[Any]]:
    """Return the columns of `keep_lines.sql` for records and their row numbers."""
    rows = [
        [seq, position, line.time, writable(line.stream), writable(line.level), writable(line.line)]
        for seq, record in kept
        for position, line in record.lines
    ]
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[]] * _LINE_COLUMNS
