"""The shapes of SPEC section 15, key by key."""

import base64
import json

import pytest

from netscript_workers.domain import wire
from netscript_workers.domain.execution import Enqueued, LogLine
from netscript_workers.domain.permissions import Permissions
from netscript_workers.domain.target import Concept, Source, Target, TaskType
from netscript_workers.ports.queue_admin import DeadLetter, TopicDepth, WorkerInfo

T0 = 1_795_000_000_123
RECORD = {
    *("id", "concept", "jobId", "topic", "status", "triggeredBy", "triggeredAt", "startedAt", "completedAt"),
    *("exitCode", "duration", "error", "result", "workerId", "attempt", "maxAttempts", "priority", "payload"),
    *("correlationId", "idempotencyKey", "traceparent", "tracestate", "progress"),
}
SHARED = {
    *(
        "id",
        "concept",
        "name",
        "description",
        "entrypoint",
        "topic",
        "schedule",
        "timezone",
        "catchUp",
        "timeout",
    ),
    *("maxRetries", "retryDelay", "backoff", "maxConcurrency", "priority", "permissions", "limits", "tags"),
    *("metadata", "retention", "enabled", "source", "file"),
}


def target(concept, **changes):
    return Target(
        id="hello",
        concept=concept,
        source=Source.DIRECTORY,
        file="/x/hello.py",
        path="/x/hello.py",
        permissions=Permissions(net=("a.example",)),
        **changes,
    )


def test_an_execution_record_has_exactly_the_documented_keys(make_execution):
    record = wire.execution_record(make_execution())
    assert set(record) == RECORD
    assert record["triggeredAt"] == "2026-11-18T11:06:40.123Z"
    assert record["duration"] == 12
    assert record["payload"] == {"name": "Ada"}
    assert record["progress"] == {"percent": 40, "message": "half"}


def test_a_dead_letter_is_an_execution_with_its_reason(make_execution):
    shape = wire.dead_letter(DeadLetter(id="x", execution=make_execution(), reason="boom", failed_at=T0))
    assert set(shape) == {"execution", "reason", "failedAt"}
    assert set(shape["execution"]) == RECORD


def test_garbage_from_the_queue_has_its_raw_bytes_and_no_execution():
    shape = wire.dead_letter(
        DeadLetter(id="x", execution=None, reason="not our format", failed_at=T0, raw=b"\xff\x00")
    )
    assert shape == {
        "execution": None,
        "reason": "not our format",
        "failedAt": "2026-11-18T11:06:40.123Z",
        "raw": base64.b64encode(b"\xff\x00").decode(),
    }


def test_the_status_has_exactly_the_documented_keys():
    depth = TopicDepth(topic="mail", pending=1, queued=2, running=3, paused=True, oldest_age_ms=None)
    worker = WorkerInfo(
        id="w",
        host="h",
        pid=7,
        role="combined",
        topics=("mail",),
        slots_total=2,
        slots_busy=1,
        started_at=T0,
        last_seen_at=T0,
    )
    shape = wire.status("deno-kv", "jobs", [depth], [worker], 4)
    assert set(shape) == {"provider", "queueName", "topics", "workers", "deadLetters"}
    assert shape["topics"] == [
        {"topic": "mail", "pending": 1, "queued": 2, "running": 3, "paused": True, "oldestAgeMs": None}
    ]
    assert set(shape["workers"][0]) == {
        *("id", "host", "pid", "role", "topics", "slots", "startedAt", "lastSeenAt", "degraded"),
        *("supervisor", "restarts"),
    }
    assert shape["workers"][0]["slots"] == {"total": 2, "busy": 1}
    json.dumps(shape)


@pytest.mark.parametrize(
    ("concept", "changes", "own"),
    [
        (Concept.JOB, {}, {"runtime"}),
        (Concept.TASK, {"type": TaskType.DENO}, {"type", "args", "env", "cwd", "importMapUrl", "persist"}),
    ],
)
def test_a_definition_has_every_field_resolved(concept, changes, own):
    shape = wire.definition(target(concept, **changes))
    assert set(shape) == SHARED | own
    assert list(shape["permissions"]["net"]) == ["a.example"]
    assert shape["retention"] == {"kvDays": 7, "dbDays": 90}
    json.dumps(shape)


def test_the_answer_of_a_trigger_and_a_log_line_have_exactly_the_documented_keys():
    assert set(wire.trigger_answer("hello", Enqueued("x"))) == {
        "executionId",
        "jobId",
        "triggered",
        "deduplicated",
    }
    line = wire.log_line(LogLine(T0, "stdout", "info", "hi"))
    assert set(line) == {"time", "stream", "level", "line"}
