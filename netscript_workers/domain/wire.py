"""The shapes on the wire (SPEC section 15): the only place where snake_case becomes camelCase."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from netscript_workers.domain.execution import Enqueued, Execution, LogLine


def iso(time_ms: int | None) -> str | None:
    """Write ms since 1970 as ISO 8601 UTC with milliseconds; None stays None."""
    if time_ms is None:
        return None
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"


def execution_record(execution: Execution) -> dict[str, Any]:
    """Build the execution record of SPEC section 15; absent values are None."""
    duration = None
    if execution.started_at is not None and execution.completed_at is not None:
        duration = max(0, execution.completed_at - execution.started_at)
    progress = execution.progress
    return {
        "id": execution.id,
        "concept": execution.concept.value,
        "jobId": execution.target,
        "topic": execution.topic,
        "status": execution.status.value,
        "triggeredBy": execution.triggered_by.value,
        "triggeredAt": iso(execution.triggered_at),
        "startedAt": iso(execution.started_at),
        "completedAt": iso(execution.completed_at),
        "exitCode": execution.exit_code,
        "duration": duration,
        "error": execution.error,
        "result": _json(execution.result),
        "workerId": execution.worker_id,
        "attempt": execution.attempt,
        "maxAttempts": execution.max_attempts,
        "priority": execution.priority,
        "payload": _json(execution.payload),
        "correlationId": execution.correlation_id,
        "idempotencyKey": execution.idempotency_key,
        "traceparent": execution.traceparent,
        "tracestate": execution.tracestate,
        "progress": {"percent": progress.percent, "message": progress.message} if progress else None,
    }


def trigger_answer(target: str, enqueued: Enqueued) -> dict[str, Any]:
    """Build the answer of a trigger."""
    return {
        "executionId": enqueued.id,
        "jobId": target,
        "triggered": not enqueued.deduplicated,
        "deduplicated": enqueued.deduplicated,
    }


def log_line(line: LogLine) -> dict[str, Any]:
    """Build one line of `workers logs --json`."""
    return {"time": iso(line.time), "stream": line.stream, "level": line.level, "line": line.line}


def _json(raw: bytes | None) -> Any:  # noqa: ANN401 - JSON can be anything
    if raw is None:
        return None
    return msgspec.json.decode(raw)
