"""Working with a queue through the command line, with a real daemon behind it."""

import json
import os
import pty
import subprocess
import sys

import pytest

# Warm slots belong to the module's daemon, and end with it: the fixture proves that.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120), pytest.mark.leaves("process")]


def test_trigger_prints_the_id_and_nothing_else_on_stdout(served):
    execution = served.trigger("hello")
    assert len(execution) == 36
    assert served.wait_for(execution, "completed")["result"] == {"message": "Hello, world!"}


def test_trigger_as_json_has_the_documented_shape_and_deduplicates(served):
    first = served.json("trigger", "hello", "--idempotency-key", "once")
    again = served.json("trigger", "hello", "--idempotency-key", "once")
    assert first == {
        "executionId": first["executionId"],
        "jobId": "hello",
        "triggered": True,
        "deduplicated": False,
    }
    assert again == {**first, "triggered": False, "deduplicated": True}


def test_waiting_prints_the_result_or_the_record_and_fails_with_the_run(served):
    done = served.workers("trigger", "hello", "--payload", "-", "--wait", stdin='{"name": "Zoë"}')
    assert json.loads(done.stdout) == {"message": "Hello, Zoë!"}
    record = served.json("trigger", "hello", "--wait")
    assert (record["status"], record["attempt"], record["jobId"]) == ("completed", 1, "hello")
    failed = served.workers("trigger", "fail", "--wait", check=False)
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert "RuntimeError: no luck" in failed.stderr


def test_a_wait_that_takes_too_long_ends_with_1_and_the_run_goes_on(served):
    waited = served.workers("trigger", "nap", "--wait", "--timeout", "500ms", check=False)
    assert waited.returncode == 1
    assert "it goes on" in waited.stderr
    (record,) = served.json("executions", "--job", "nap", "--limit", "1")
    assert served.wait_for(record["id"], "running")["progress"] == {"percent": 10, "message": "asleep"}
    served.workers("cancel", record["id"])
    served.wait_for(record["id"], "cancelled")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["trigger", "helo"], 1, "hello"),
        (["trigger", "hello", "--payload", "[1]"], 1, "an array"),
        (["trigger", "hello", "--payload", "{"], 1, "not JSON"),
        (["trigger", "hello", "--payload", '{"name": 5}'], 1, "name"),
        (["trigger", "hello", "--priority", "101"], 2, "--priority"),
        (["trigger", "hello", "--delay", "soon"], 2, "soon"),
        (["show", "01a20d15-0e3b-777c-aa43-000000000000"], 1, "workers executions"),
        (["logs", "nothing"], 1, "workers executions"),
        (["cancel", "nothing"], 1, "nothing"),
        (["retry", "nothing"], 1, "nothing"),
        (["dead", "purge"], 2, "--all"),
        (["dead", "requeue", "nothing"], 1, "workers dead list"),
    ],
)
def test_bad_input_is_refused_with_what_to_do(served, arguments, status, words):
    refused = served.workers(*arguments, check=False)
    assert (refused.returncode, refused.stdout) == (status, "")
    assert words in refused.stderr
    assert "Traceback" not in refused.stderr


def test_executions_can_be_narrowed(served):
    served.workers("trigger", "hello", "--wait")
    records = served.json("executions", "--job", "hello", "--status", "completed", "--limit", "1")
    assert [(record["jobId"], record["status"]) for record in records] == [("hello", "completed")]
    assert served.json("executions", "--topic", "no-such") == []
    assert "hello" in served.workers("executions").stdout


def test_show_tells_what_happened_in_each_attempt(served):
    execution = served.trigger("fail")
    served.wait_for(execution, "failed")
    shown = served.workers("show", execution).stdout
    for part in ("status", "failed", "exception", "RuntimeError: no luck", "about to fail"):
        assert part in shown


def test_logs_are_kept_and_can_be_followed_to_the_end(served):
    execution = served.trigger("fail")
    followed = served.workers("logs", "--follow", execution).stdout
    assert "about to fail" in followed
    lines = served.json("logs", execution)
    assert [set(line) for line in lines] == [{"time", "stream", "level", "line"}] * len(lines)
    assert "about to fail" in [line["line"] for line in lines]


def test_a_finished_execution_can_be_retried_and_a_waiting_one_cancelled(served):
    execution = served.trigger("hello")
    served.wait_for(execution, "completed")
    served.workers("retry", execution)
    assert served.wait_for(execution, "completed")["triggeredBy"] == "retry"
    refused = served.workers("cancel", execution, check=False)
    assert (refused.returncode, "already completed" in refused.stderr) == (1, True)
    delayed = served.trigger("hello", "--delay", "1h")
    assert served.json("show", delayed)["status"] == "pending"
    refused = served.workers("retry", delayed, check=False)
    assert (refused.returncode, "pending" in refused.stderr) == (1, True)
    served.workers("cancel", delayed)
    assert served.json("show", delayed)["status"] == "cancelled"


def test_dead_letters_are_listed_requeued_and_purged(served):
    served.workers("dead", "purge", "--all")
    execution = served.trigger("fail")
    served.wait_for(execution, "failed")
    (letter,) = served.json("dead", "list")
    assert set(letter) == {"execution", "reason", "failedAt"}
    assert letter["execution"]["id"] == execution
    assert "no luck" in letter["reason"]
    assert execution in served.workers("dead", "list", "--target", "fail").stdout
    assert "1 dead letter queued again" in served.workers("dead", "requeue", execution).stderr
    served.wait_for(execution, "failed")
    assert "1 dead letter purged" in served.workers("dead", "purge", "--target", "fail").stderr
    assert served.json("dead", "list") == []
    assert served.workers("show", execution, check=False).returncode == 1


def test_a_paused_topic_hands_out_nothing_until_it_is_resumed(served):
    served.workers("pause", "naps")
    execution = served.trigger("nap", "--payload", '{"seconds": 0}')
    topics = {topic["topic"]: topic for topic in served.json("status")["topics"]}
    assert (topics["naps"]["paused"], topics["naps"]["queued"]) == (True, 1)
    assert served.json("show", execution)["status"] == "queued"
    served.workers("resume", "naps")
    served.wait_for(execution, "completed")
    assert "no job here" in served.workers("pause", "nobody").stderr
    served.workers("resume", "nobody")


def test_the_status_has_the_documented_shape(served):
    status = served.json("status")
    assert (status["provider"], status["queueName"]) == ("deno-kv", "jobs")
    (worker,) = status["workers"]
    assert (worker["role"], worker["slots"]["total"]) == ("combined", 3)
    assert "naps" in worker["topics"]
    assert worker["id"] in served.workers("status").stdout


def test_jobs_and_tasks_are_listed_with_every_field(served):
    jobs = {job["id"]: job for job in served.json("jobs")}
    assert set(jobs) == {"hello", "count-primes", "fail", "nap"}
    assert (jobs["hello"]["timeout"], jobs["hello"]["source"]) == (10_000, "directory")
    assert jobs["hello"]["file"].endswith("hello.py")
    assert served.json("tasks") == []
    assert "count-primes" in served.workers("jobs").stdout


def test_on_a_terminal_the_wait_shows_the_progress_that_the_run_reports(served):
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "netscript_workers",
                "trigger",
                "nap",
                "--payload",
                '{"seconds": 1.5}',
                "--wait",
            ],
            cwd=served.directory,
            env={**os.environ, "TERM": "xterm-256color"},
            stderr=theirs,
        )
        os.close(theirs)
        shown = b""
        while piece := _read(ours):
            shown += piece
        assert process.wait(40) == 0
    finally:
        os.close(ours)
    for part in (b"nap running", b"asleep", b"completed"):
        assert part in shown


def _read(terminal):
    try:
        return os.read(terminal, 4096)
    except OSError:  # how Linux says that the other side is closed
        return b""
