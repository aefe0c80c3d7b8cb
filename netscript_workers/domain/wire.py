"""The shapes on the wire (SPEC section 15): the only place where snake_case becomes camelCase."""

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from netscript_workers.domain.execution import Enqueued, Execution, LogLine
from netscript_workers.domain.target import Concept, Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netscript_workers.domain.overview import DeadLetter, TopicDepth, WorkerInfo


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


def dead_letter(letter: "DeadLetter") -> dict[str, Any]:
    """Build one entry of `workers dead list --json`; `raw` is there only for garbage from the queue, as base64."""
    entry: dict[str, Any] = {
        "execution": execution_record(letter.execution) if letter.execution else None,
        "reason": letter.reason,
        "failedAt": iso(letter.failed_at),
    }
    if letter.raw is not None:
        entry["raw"] = base64.b64encode(letter.raw).decode()
    return entry


def status(
    provider: str,
    queue_name: str,
    depths: "Sequence[TopicDepth]",
    workers: "Sequence[WorkerInfo]",
    dead_letters: int,
) -> dict[str, Any]:
    """Build the answer of `workers status --json`."""
    return {
        "provider": provider,
        "queueName": queue_name,
        "topics": [
            {
                "topic": each.topic,
                "pending": each.pending,
                "queued": each.queued,
                "running": each.running,
                "paused": each.paused,
                "oldestAgeMs": each.oldest_age_ms,
            }
            for each in depths
        ],
        "workers": [
            {
                "id": each.id,
                "host": each.host,
                "pid": each.pid,
                "role": each.role,
                "topics": list(each.topics),
                "slots": {"total": each.slots_total, "busy": each.slots_busy},
                "startedAt": iso(each.started_at),
                "lastSeenAt": iso(each.last_seen_at),
                "degraded": each.degraded,
                "supervisor": each.supervisor,
                "restarts": each.restarts,
            }
            for each in workers
        ],
        "deadLetters": dead_letters,
    }


def definition(target: Target) -> dict[str, Any]:
    """Build one entry of `workers jobs --json` or `workers tasks --json`.

    A job has `runtime` beside the shared fields, a task `type` and the fields of its program.
    """
    limits = target.limits
    shared: dict[str, Any] = {
        "id": target.id,
        "concept": target.concept.value,
        "name": target.name,
        "description": target.description,
        "entrypoint": target.entrypoint,
        "topic": target.topic,
        "schedule": target.schedule,
        "timezone": target.timezone,
        "catchUp": target.catch_up.value,
        "timeout": target.timeout,
        "maxRetries": target.max_retries,
        "retryDelay": target.retry_delay,
        "backoff": target.backoff.value,
        "maxConcurrency": target.max_concurrency,
        "priority": target.priority,
        "permissions": None if target.permissions is None else msgspec.to_builtins(target.permissions),
        "limits": {
            "memory": limits.memory,
            "cpuSeconds": limits.cpu_seconds,
            "openFiles": limits.open_files,
            "processes": limits.processes,
            "output": limits.output,
        },
        "tags": list(target.tags),
        "metadata": dict(target.metadata),
        "retention": {"kvDays": target.retention.kv_days, "dbDays": target.retention.db_days},
        "enabled": target.enabled,
        "source": target.source.value,
        "file": target.file,
    }
    if target.concept is Concept.JOB:
        return {**shared, "runtime": target.runtime.value}
    return {
        **shared,
        "type": None if target.type is None else str(target.type),
        "args": list(target.args),
        "env": dict.fromkeys(target.env, "***"),  # values may be secrets
        "cwd": target.cwd,
        "importMapUrl": target.import_map_url,
        "persist": target.persist,
    }


def _json(raw: bytes | None) -> Any:
    if raw is None:
        return None
    return msgspec.json.decode(raw)
