"""What is counted, and how it is written: read back by Prometheus's own parser."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import Execution, Status, TriggeredBy
from netscript_workers.domain.overview import TopicDepth
from netscript_workers.domain.retry import RetryPolicy
from netscript_workers.domain.settlement import Retain, decide
from netscript_workers.domain.target import Concept
from netscript_workers.ports.runner import SlotReport
from netscript_workers.telemetry import tally as tallying
from netscript_workers.telemetry.metrics import QueueView, Snapshot, exposition
from netscript_workers.telemetry.tally import Tally

T0 = 1_795_000_000_000


def ran(tally, outcome, *, target="hello", attempt=1, max_attempts=2, took_ms=70, waited_ms=20):
    execution = Execution(
        id="e",
        concept=Concept.JOB,
        target=target,
        topic="mail",
        status=Status.RUNNING,
        triggered_by=TriggeredBy.MANUAL,
        triggered_at=T0,
        payload=b"{}",
        priority=50,
        attempt=attempt,
        max_attempts=max_attempts,
        started_at=T0 + waited_ms,
    )
    policy = RetryPolicy(max_attempts=max_attempts)
    now = T0 + 100 + took_ms
    tally.observe(execution, decide(execution, outcome, policy, Retain(1, 1), now, started_at=T0 + 100))


def snapshot(**changes):
    return Snapshot(
        **{
            "version": "1",
            "role": "worker",
            "started_at": T0,
            "slots_total": 2,
            "slots_busy": 1,
            "slots": (),
            "ready": True,
            "degraded": False,
            "calls": {"claim work": 3},
            "errors": {},
            "queue": None,
            **changes,
        }
    )


def samples(tally, **changes):
    text = exposition(tally, snapshot(**changes)).decode()
    return {
        (one.name, *(value for key, value in sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_runs_are_counted_by_target_and_outcome():
    tally = Tally()
    ran(tally, outcomes.succeeded(b"1"))
    ran(tally, outcomes.failed("no"))
    ran(tally, outcomes.failed("no"), attempt=2)
    ran(tally, outcomes.timed_out("late"), attempt=2)
    ran(tally, outcomes.cancelled("stop"))
    ran(tally, outcomes.interrupted("shutdown"))
    found = samples(tally)
    for outcome in ("completed", "failed", "timeout", "cancelled"):
        assert found["workers_executions_total", outcome, "hello", "mail"] == 1
    assert found["workers_retries_total", "hello", "mail"] == 1
    assert found["workers_dead_lettered_total", "hello", "mail"] == 2
    assert found["workers_attempt_failures_total", "failure", "hello", "mail"] == 2
    assert found["workers_execution_duration_seconds_count", "hello", "mail"] == 6
    assert found["workers_execution_duration_seconds_sum", "hello", "mail"] == pytest.approx(0.42)
    assert found["workers_execution_duration_seconds_bucket", "0.05", "hello", "mail"] == 0
    assert found["workers_execution_duration_seconds_bucket", "0.1", "hello", "mail"] == 6
    assert found["workers_queue_wait_seconds_count", "hello", "mail"] == 4  # of first attempts
    assert found["workers_queue_wait_seconds_bucket", "0.025", "hello", "mail"] == 4


def test_more_targets_than_the_bound_share_one_series(monkeypatch):
    monkeypatch.setattr(tallying, "MAX_SERIES", 3)
    tally = Tally()
    for number in range(9):
        ran(tally, outcomes.succeeded(b"1"), target=f"t{number}")
    found = samples(tally)
    assert found["workers_executions_total", "completed", "(others)", "(others)"] == 6
    assert len(tally.targets) == 4


def test_a_name_with_quotes_and_newlines_is_escaped():
    tally = Tally()
    ran(tally, outcomes.succeeded(b"1"), target='a"b\\c\nd')
    assert samples(tally)["workers_executions_total", "completed", 'a"b\\c\nd', "mail"] == 1


def test_the_queue_is_written_when_it_answered_and_left_out_when_not():
    depths = (TopicDepth(topic="mail", pending=1, queued=2, running=3, paused=True, oldest_age_ms=1_500),)
    found = samples(Tally(), queue=QueueView(depths=depths, dead_letters=4))
    assert found["workers_queue_up",] == 1
    assert found["workers_queue_depth", "queued", "mail"] == 2
    assert found["workers_queue_oldest_age_seconds", "mail"] == 1.5
    assert found["workers_topic_paused", "mail"] == 1
    assert found["workers_dead_letters",] == 4
    away = samples(Tally())
    assert away["workers_queue_up",] == 0
    assert not [key for key in away if key[0] in {"workers_queue_depth", "workers_dead_letters"}]


def test_slots_of_one_process_are_one_process_with_one_memory():
    slots = [
        SlotReport(mode="in-process", pid=7, execution_id="e", target="t", busy_ms=1, memory=100),
        SlotReport(mode="in-process", pid=7, execution_id="f", target="t", busy_ms=1, memory=100),
        SlotReport(mode="web-worker", pid=8, execution_id=None, target=None, busy_ms=0, memory=50),
    ]
    found = samples(Tally(), slots=slots, lag_ms=12.0)
    assert found["workers_slot_processes", "in-process"] == 1
    assert found["workers_slot_memory_bytes", "in-process"] == 100
    assert found["workers_slot_memory_bytes", "web-worker"] == 50
    assert found["workers_scheduler_lag_seconds",] == 0.012
    assert found["workers_engine_calls_total", "claim_work"] == 3
