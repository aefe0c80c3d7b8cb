"""Short words for the contracts of archives: finished records with all that belongs to them."""

from contracts.engines import DAY_MS, Clock, new
from netscript_workers.domain.execution import Execution, LogLine, Progress, Status
from netscript_workers.domain.outcome import Cause
from netscript_workers.domain.settlement import AttemptRecord
from netscript_workers.ports.archive import Archived


def finished(clock: Clock, status: Status = Status.COMPLETED, *, age_ms: int = 0, **fields) -> Archived:
    """Build a record that ended `age_ms` ago, with every field set: a failed attempt, then the last one, two lines."""
    request = new(fields.pop("target", "mail"), **{key: fields.pop(key) for key in ("id",) if key in fields})
    now = clock.now - age_ms
    good = status is Status.COMPLETED
    execution = Execution(
        **{
            "id": request.id,
            "concept": request.concept,
            "target": request.target,
            "topic": "default",
            "status": status,
            "triggered_by": request.triggered_by,
            "triggered_at": now - 30,
            "payload": b'{"x":[1,"\\u0000",null]}',
            "priority": 77,
            "attempt": 2,
            "max_attempts": 4,
            "token": (1 << 61) + 12_345,
            "started_at": now - 10,
            "completed_at": now,
            "exit_code": 0 if good else 3,
            "error": None if good else "boom \u00e4",
            "result": b'{"ok":true}' if good else None,
            "worker_id": "w2",
            "correlation_id": "c",
            "idempotency_key": "k",
            "traceparent": "tp",
            "tracestate": "ts",
            "progress": Progress(40.5, "half"),
            **fields,
        }
    )
    first = AttemptRecord(
        attempt=1,
        worker_id="w1",
        started_at=now - 25,
        completed_at=now - 20,
        cause=Cause.EXCEPTION,
        error="first",
    )
    last = AttemptRecord(
        attempt=2,
        worker_id="w2",
        started_at=execution.started_at,
        completed_at=now,
        cause=None if good else Cause.FAILURE,
        error=execution.error,
        exit_code=execution.exit_code,
        peak_memory=2048,
        cpu_ms=6,
    )
    lines = ((3, LogLine(now - 9, "stdout", "INFO", "one")), (4, LogLine(now - 8, "log", "ERROR", "two")))
    return Archived(
        execution=execution,
        archive_at=now + 7 * DAY_MS,
        delete_at=now + 37 * DAY_MS,
        attempts=(first, last),
        lines=lines,
    )
