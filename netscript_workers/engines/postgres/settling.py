"""A batch of settlements as the parameters of one statement."""

from collections.abc import Sequence
from typing import Any

from netscript_workers.domain.execution import LogLine, Status
from netscript_workers.domain.settlement import AttemptRecord, Settlement
from netscript_workers.engines.postgres.arrays import ints, texts
from netscript_workers.engines.postgres.rows import json_text, writable
from netscript_workers.ports.promises import CANCELLED_ARCHIVE_MS, CANCELLED_KEEP_MS, LINES_KEPT


def parameters(
    queue: int, settlements: Sequence[Settlement], marks: Sequence[int], now: int | None, *, repeated: bool
) -> list[Any]:
    """Return the parameters of `netscript.settle`. `settlements` name no execution twice."""
    usage = [one.record if one.status is Status.COMPLETED else None for one in settlements]
    statuses = [one.status.value for one in settlements]
    records = [
        [one.execution_id, *attempt_row(one.record)]
        for one in settlements
        if one.record is not None and one.status is not Status.COMPLETED
    ]
    lines = [line_row(one.execution_id, line) for one in settlements for line in one.lines]
    results = [one.result for one in settlements]
    return [
        queue,
        texts([one.execution_id for one in settlements]),
        ints([one.token for one in settlements]),
        ints(marks),
        texts(statuses),
        ints([one.attempt for one in settlements]),
        ints([one.max_attempts for one in settlements]),
        ints([one.delay_ms for one in settlements]),
        ints([one.started_at for one in settlements]),
        ints([one.completed_at for one in settlements]),
        ints([one.keep_ms for one in settlements]),
        ints([one.archive_ms for one in settlements]),
        texts([writable(one.error) for one in settlements]),
        results if any(result is not None for result in results) else None,
        ints([one.exit_code for one in settlements]),
        ints([None if one is None else one.peak_memory for one in usage]),
        ints([None if one is None else one.cpu_ms for one in usage]),
        "queued" in statuses or "pending" in statuses,
        repeated,
        json_text(records) if records else None,
        json_text(lines) if lines else None,
        LINES_KEPT,
        CANCELLED_KEEP_MS,
        CANCELLED_ARCHIVE_MS,
        now,
    ]


def attempt_row(record: AttemptRecord) -> list[Any]:
    """Return what `netscript.attempt` keeps of an attempt, in the order of `netscript.settle`."""
    return [
        record.attempt,
        writable(record.worker_id),
        record.started_at,
        record.completed_at,
        record.cause,
        writable(record.error),
        record.exit_code,
        record.peak_memory,
        record.cpu_ms,
    ]


def line_row(execution_id: str, line: LogLine) -> list[Any]:
    """Return a line in the order of `netscript.add_lines`."""
    return [execution_id, line.time, writable(line.stream), writable(line.level), writable(line.line)]
