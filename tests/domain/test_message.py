"""Messages of other programs: what is honoured, what the target fills in, and what is no job."""

import msgspec
import pytest

from netscript_workers.domain.execution import TriggeredBy
from netscript_workers.domain.message import NoJobError, Terms, to_execution
from netscript_workers.domain.target import Concept, Source, Target

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
MAIL = Target(
    id="mail",
    concept=Concept.JOB,
    source=Source.DIRECTORY,
    file="mail.py",
    path="/jobs/mail.py",
    topic="letters",
    priority=70,
    max_retries=4,
)
TERMS = Terms(find={"mail": MAIL}.get, max_payload_bytes=100)


def read(message, delay_ms=0):
    return to_execution(message, "e1", delay_ms, TERMS)


def test_the_target_fills_in_what_the_message_leaves_unsaid():
    one = read({"jobId": "mail"})
    assert (one.id, one.target, one.concept, one.topic) == ("e1", "mail", Concept.JOB, "letters")
    assert (one.priority, one.max_attempts, one.payload, one.delay_ms) == (70, 5, b"{}", 0)
    assert one.triggered_by is TriggeredBy.QUEUE


def test_what_the_message_says_wins():
    one = read(
        {
            "jobId": "mail",
            "payload": {"to": "a"},
            "topic": "slow",
            "priority": 0,
            "delay": "2s",
            "correlationId": "c",
            "idempotencyKey": "k",
            "traceparent": TRACE,
            "tracestate": "a=b",
            "executionId": "of another queue",
        },
        delay_ms=500,
    )
    assert (one.topic, one.priority, one.delay_ms, one.correlation_id) == ("slow", 0, 2_500, "c")
    assert (one.idempotency_key, one.traceparent, one.tracestate) == ("k", TRACE, "a=b")
    assert msgspec.json.decode(one.payload) == {"to": "a"}


def test_an_unknown_target_is_taken_as_named():
    one = read({"taskId": "elsewhere", "payload": None})
    assert (one.target, one.concept, one.topic, one.max_attempts) == ("elsewhere", Concept.TASK, "default", 1)


def test_the_envelope_of_netscript_is_opened_and_its_trace_context_kept():
    envelope = {"__envelope_version": 1, "headers": {"traceparent": TRACE}, "messageId": "m"}
    one = read({**envelope, "payload": {"jobId": "mail", "payload": {"n": 1}}})
    assert (one.target, one.payload, one.traceparent) == ("mail", b'{"n":1}', TRACE)


def test_a_trace_context_that_is_none_is_dropped_and_the_work_is_not():
    one = read({"jobId": "mail", "traceparent": "nonsense", "tracestate": "a=b"})
    assert (one.traceparent, one.tracestate) == (None, None)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("text", "the message is text, not an object"),
        (None, "the message is null"),
        ([1], "the message is an array"),
        ({}, "neither jobId nor taskId"),
        ({"jobId": "a", "taskId": "b"}, "both jobId and taskId"),
        ({"jobId": 5}, "jobId is 5, not text"),
        ({"jobId": ""}, "jobId is '', not text"),
        ({"jobId": "a" * 129}, "not text of 1 to 128"),
        ({"jobId": "mail", "payload": [1]}, "payload is an array, not an object"),
        (
            {"jobId": "mail", "payload": {"x": "y" * 100}},
            r"the payload has 108 bytes, over max_payload_bytes",
        ),
        ({"jobId": "mail", "topic": "No Topic"}, "topic is 'No Topic', no name"),
        ({"jobId": "mail", "priority": 101}, "priority is 101, not a whole number from 0 to 100"),
        ({"jobId": "mail", "priority": True}, "priority is True"),
        ({"jobId": "mail", "delay": -1}, "delay is -1, not milliseconds"),
        ({"jobId": "mail", "delay": 1.5}, "delay is 1.5"),
        ({"jobId": "mail", "idempotencyKey": {}}, "idempotencyKey is an object, not text"),
        ({"jobId": "mail", "correlationId": "c" * 513}, "not text of 1 to 512"),
        ({"__envelope_version": 2, "payload": {"jobId": "mail"}}, "__envelope_version is 2"),
        ({"__envelope_version": 1, "payload": "x"}, "the message is text"),
        ({"__envelope_version": 1, "headers": 1, "payload": {}}, "headers is a number"),
    ],
)
def test_what_is_no_job_is_refused_with_the_reason(message, reason):
    with pytest.raises(NoJobError, match=reason):
        read(message)
