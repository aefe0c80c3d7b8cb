"""Why something does not run: one row for each reason."""

import pytest

from netscript_workers.domain.execution import Execution, Status, TriggeredBy
from netscript_workers.domain.overview import TopicDepth, WorkerInfo
from netscript_workers.domain.pool import Lane
from netscript_workers.domain.settlement import AttemptRecord
from netscript_workers.domain.target import Concept, Source, Target
from netscript_workers.domain.why import Facts, why

NOW = 1_795_000_000_000


def execution(status=Status.QUEUED, **changes):
    return Execution(
        **{
            "id": "e1",
            "concept": Concept.JOB,
            "target": "hello",
            "topic": "mail",
            "status": status,
            "triggered_by": TriggeredBy.MANUAL,
            "triggered_at": NOW - 10_000,
            "payload": b"{}",
            "priority": 50,
            "attempt": 0,
            "max_attempts": 4,
            **changes,
        }
    )


def target(**changes):
    return Target(id="hello", concept=Concept.JOB, source=Source.CONFIG, file="-", path="-", **changes)


def worker(**changes):
    return WorkerInfo(
        **{
            "id": "w1",
            "host": "h",
            "pid": 1,
            "role": "worker",
            "topics": ("mail",),
            "slots_total": 2,
            "slots_busy": 0,
            "started_at": 1,
            "last_seen_at": 1,
            **changes,
        }
    )


def depth(topic="mail", *, running=0, paused=False):
    return TopicDepth(topic=topic, pending=0, queued=3, running=running, paused=paused, oldest_age_ms=1)


def full_lane(*topics, limit=2, workers, depths):
    """Facts of a lane whose workers have further slots for other lanes, as their announcements show it: idle."""
    return {"lane": Lane(topics, limit), "workers": workers, "depths": depths}


def facts(**changes):
    return Facts(
        **{
            "target_id": "hello",
            "topic": "mail",
            "now": NOW,
            "target": target(),
            "depth": depth(),
            "workers": (worker(),),
            "execution": execution(),
            **changes,
        }
    )


def record(cause, **changes):
    return AttemptRecord(
        attempt=1, worker_id="w1", started_at=NOW, completed_at=NOW, cause=cause, error="why", **changes
    )


ROWS = [
    ({}, ["next"], "as soon as a slot"),
    ({"execution": None}, ["ready"], "claimed as they come"),
    ({"execution": execution(Status.COMPLETED)}, ["completed"], "completed"),
    ({"execution": execution(Status.CANCELLED)}, ["cancelled"], "cancelled"),
    ({"execution": execution(Status.RUNNING, worker_id="w9", started_at=NOW - 1_500)}, ["running"], "w9"),
    ({"execution": execution(Status.PENDING, due_at=NOW + 2_500)}, ["not-due"], "in 2.5 s"),
    ({"execution": execution(Status.PENDING, due_at=NOW - 1)}, ["not-due"], "just now"),
    (
        {"execution": execution(Status.PENDING, due_at=NOW + 1_000, attempt=2, error="no luck")},
        ["waits-for-retry"],
        "attempt 2 of 4 failed: no luck",
    ),
    ({"target": None}, ["unknown-target"], "hello"),
    ({"target": target(enabled=False)}, ["disabled"], "disabled"),
    ({"unenforceable": ("net cannot be enforced",)}, ["not-enforceable"], "net"),
    ({"depth": depth(paused=True)}, ["paused"], "mail is paused"),
    ({"workers": ()}, ["no-worker"], "no worker serves"),
    ({"workers": (worker(topics=("other",)),)}, ["no-worker"], "no worker serves"),
    ({"workers": (worker(degraded="claim work: away"),)}, ["degraded"], "claim work: away"),
    ({"workers": (worker(slots_busy=2),)}, ["topic-full"], "all 2 slots"),
    ({"workers": (worker(slots_busy=2), worker(id="w2"))}, ["next"], ""),
    (
        full_lane("mail", workers=(worker(slots_total=9),), depths=[depth(running=2)]),
        ["topic-full"],
        "all 2 slots",
    ),
    (
        full_lane("mail", workers=(worker(slots_total=9),), depths=[depth(running=1)]),
        ["next"],
        "",
    ),
    (
        full_lane("mail", limit=5, workers=(worker(slots_total=2),), depths=[depth(running=2)]),
        ["topic-full"],
        "all 2 slots",
    ),
    (
        full_lane("mail", workers=(worker(), worker(id="w2")), depths=[depth(running=3)]),
        ["next"],
        "",
    ),
    (
        full_lane(
            "mail",
            "post",
            workers=(worker(topics=("mail", "post")),),
            depths=[depth(running=1), depth("post", running=1)],
        ),
        ["topic-full"],
        "all 2 slots",
    ),
    (
        full_lane(
            "mail",
            "post",
            workers=(worker(), worker(id="w2", topics=("post",))),
            depths=[depth(running=1), depth("post", running=2)],
        ),
        ["next"],
        "",
    ),
    (
        {
            "target": target(max_concurrency=1),
            "running": [execution(Status.RUNNING, id=f"r{n}") for n in range(7)],
        },
        ["max-concurrency"],
        "r0, r1, r2, r3, r4 and 2 more",
    ),
    (
        {"target": None, "depth": depth(paused=True), "workers": ()},
        ["unknown-target", "paused", "no-worker"],
        "",
    ),
]


@pytest.mark.parametrize(("changes", "codes", "words"), ROWS)
def test_each_reason_is_named(changes, codes, words):
    reasons = why(facts(**changes))
    assert [one.code for one in reasons] == codes
    assert words in reasons[0].message


@pytest.mark.parametrize(
    "cause", ["failure", "exception", "timeout", "crash", "lost-worker", "permission-denied", "shutdown"]
)
def test_of_a_dead_letter_each_attempt_says_its_cause_and_what_to_do(cause):
    dead = execution(Status.FAILED, attempt=1, max_attempts=1, error="Traceback (x)\n  line\nValueError: no")
    reasons = why(facts(execution=dead, attempts=[record(None), record(cause, exit_code=-9)]))
    assert [one.code for one in reasons] == ["dead", f"attempt-{cause}"]
    assert "ValueError: no" in reasons[0].message
    assert "exit code -9" in reasons[1].message
    assert all(one.advice for one in reasons)
