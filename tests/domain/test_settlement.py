"""`decide` as a table and as properties: the one place that judges outcomes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import FINISHED, Execution, Status, TriggeredBy, may_move
from netscript_workers.domain.outcome import Cause, Kind, Outcome, Usage
from netscript_workers.domain.retry import MAX_RETRY_DELAY_MS, RetryPolicy, retry_delay_ms
from netscript_workers.domain.settlement import Action, Retain, decide
from netscript_workers.domain.target import Backoff, Concept

NOW = 1_800_000_000_000
RETAIN = Retain(keep_ms=7, archive_ms=90)


def running(attempt: int = 1) -> Execution:
    return Execution(
        id="0197f0a0-0000-7000-8000-000000000000",
        concept=Concept.JOB,
        target="send-mail",
        topic="default",
        status=Status.RUNNING,
        triggered_by=TriggeredBy.MANUAL,
        triggered_at=NOW - 1_000,
        payload=b"{}",
        priority=50,
        attempt=attempt,
        max_attempts=3,
        token=41,
        worker_id="w1",
    )


THREE = RetryPolicy(max_attempts=3, delay_ms=1_000)
OUTCOMES = {
    "success": outcomes.succeeded(b"1"),
    "failure": outcomes.failed("no"),
    "final failure": outcomes.failed("never", retry=False),
    "timeout": outcomes.timed_out("late"),
    "crash": outcomes.crashed("SIGSEGV", -11),
    "lost": outcomes.lost("silent"),
    "cancelled": outcomes.cancelled("asked"),
    "interrupted": outcomes.interrupted("shutdown"),
}


@pytest.mark.parametrize(
    ("name", "attempt", "action", "status", "attempt_after"),
    [
        ("success", 1, Action.COMPLETE, Status.COMPLETED, 1),
        ("success", 3, Action.COMPLETE, Status.COMPLETED, 3),
        ("failure", 1, Action.RETRY, Status.PENDING, 1),
        ("failure", 3, Action.DEAD_LETTER, Status.FAILED, 3),
        ("final failure", 1, Action.DEAD_LETTER, Status.FAILED, 1),
        ("timeout", 2, Action.RETRY, Status.PENDING, 2),
        ("timeout", 3, Action.DEAD_LETTER, Status.TIMEOUT, 3),
        ("crash", 1, Action.RETRY, Status.PENDING, 1),
        ("crash", 3, Action.DEAD_LETTER, Status.FAILED, 3),
        ("lost", 1, Action.RETRY, Status.PENDING, 1),
        ("lost", 3, Action.DEAD_LETTER, Status.FAILED, 3),
        ("cancelled", 1, Action.CANCEL, Status.CANCELLED, 1),
        ("cancelled", 3, Action.CANCEL, Status.CANCELLED, 3),
        ("interrupted", 1, Action.GIVE_BACK, Status.QUEUED, 0),
        ("interrupted", 3, Action.GIVE_BACK, Status.QUEUED, 2),
    ],
)
def test_each_outcome_has_its_one_meaning(name, attempt, action, status, attempt_after):
    settlement = decide(running(attempt), OUTCOMES[name], THREE, RETAIN, NOW, started_at=NOW - 10)
    assert (settlement.action, settlement.status, settlement.attempt) == (action, status, attempt_after)


def test_a_retry_without_delay_is_queued_at_once():
    settlement = decide(running(), OUTCOMES["failure"], RetryPolicy(2, 0), RETAIN, NOW)
    assert settlement.status is Status.QUEUED
    assert settlement.delay_ms == 0


def test_the_cause_usage_and_exit_code_stay_with_the_attempt():
    outcome = outcomes.crashed("killed by SIGKILL", -9, Usage(peak_memory=4096, cpu_ms=12))
    record = decide(running(2), outcome, THREE, RETAIN, NOW, started_at=NOW - 10).record
    assert record is not None
    assert (record.attempt, record.cause, record.exit_code) == (2, Cause.CRASH, -9)
    assert (record.peak_memory, record.cpu_ms, record.worker_id) == (4096, 12, "w1")


def test_an_execution_given_back_before_it_started_leaves_no_attempt_record():
    assert decide(running(), OUTCOMES["interrupted"], THREE, RETAIN, NOW).record is None


any_outcome = st.builds(
    Outcome,
    kind=st.sampled_from(Kind),
    cause=st.sampled_from(Cause) | st.none(),
    error=st.text(max_size=5) | st.none(),
    result=st.sampled_from([None, b"1"]),
    retry=st.booleans(),
    exit_code=st.integers(-64, 255) | st.none(),
)
any_policy = st.builds(RetryPolicy, st.integers(1, 20), st.integers(0, 10_000_000), st.sampled_from(Backoff))


@given(any_outcome, any_policy, st.integers(1, 25))
def test_every_settlement_is_a_legal_move_with_the_claims_token(outcome, policy, attempt):
    settlement = decide(running(attempt), outcome, policy, RETAIN, NOW, started_at=NOW)
    assert may_move(Status.RUNNING, settlement.status)
    assert settlement.token == 41
    finished = settlement.status in FINISHED
    assert (settlement.completed_at is not None) == finished
    assert (settlement.keep_ms, settlement.archive_ms) == ((7, 90) if finished else (0, 0))


@given(any_outcome, any_policy, st.integers(1, 25))
def test_nothing_is_retried_beyond_its_attempts(outcome, policy, attempt):
    settlement = decide(running(attempt), outcome, policy, RETAIN, NOW, started_at=NOW)
    if settlement.action is Action.RETRY:
        assert attempt < policy.max_attempts
        assert outcome.retry


@given(any_policy, st.integers(1, 200))
def test_a_retry_delay_is_bounded_and_never_shrinks(policy, attempt):
    this, following = retry_delay_ms(policy, attempt), retry_delay_ms(policy, attempt + 1)
    assert 0 <= this <= following <= MAX_RETRY_DELAY_MS


def test_exponential_backoff_doubles_from_the_first_delay():
    policy = RetryPolicy(9, 1_000, Backoff.EXPONENTIAL)
    assert [retry_delay_ms(policy, n) for n in (1, 2, 3, 4)] == [1_000, 2_000, 4_000, 8_000]
