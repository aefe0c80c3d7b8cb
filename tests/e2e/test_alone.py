"""Commands that need no daemon: one run in the foreground, a drain, the doctor, and daemons that cannot start."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.mark.parametrize("mode", ["in-process", "web-worker", "subprocess"])
def test_exec_runs_a_job_once_and_prints_its_lines_and_result(shop, mode):
    done = shop.workers("exec", "count-primes", "--payload", '{"below": 100}', "--runtime", mode)
    assert json.loads(done.stdout) == {"below": 100, "primes": 25}
    assert "25 primes below 100" in done.stderr
    assert shop.json("executions", "--job", "count-primes") == []


def test_exec_ends_with_1_when_the_run_fails_or_cannot_be(shop):
    failed = shop.workers("exec", "fail", check=False)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "about to fail" in failed.stderr
    assert "RuntimeError: no luck" in failed.stderr
    unknown = shop.workers("exec", "helo", check=False)
    assert (unknown.returncode, "hello" in unknown.stderr) == (1, True)


@pytest.mark.parametrize("mode", ["in-process", "web-worker", "subprocess"])
def test_ctrl_c_ends_exec_and_its_run(shop, mode):
    process = subprocess.Popen(
        [sys.executable, "-m", "netscript_workers", "exec", "nap", "--runtime", mode],
        cwd=shop.directory,
        stderr=subprocess.PIPE,
        text=True,
        # What runs in the background of a script inherits that SIGINT is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one call, no lock
    )
    assert "asleep" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=40)[1]
    assert process.returncode == 130
    assert "Traceback" not in told


def test_drain_works_the_queue_off_and_ends(shop):
    ids = [shop.trigger("hello") for _ in range(3)]
    shop.workers("combined", "--drain", "--log-level", "warning")
    assert {shop.json("show", each)["status"] for each in ids} == {"completed"}


def test_without_a_worker_the_wait_says_so(shop):
    waited = shop.workers("trigger", "hello", "--wait", "--timeout", "5s", check=False)
    assert waited.returncode == 1
    assert "No worker serves the topic default" in waited.stderr
    assert "No worker is running" in shop.workers("status").stdout


def test_a_topic_that_nothing_has_is_warned_of(shop):
    wrong = shop.workers("worker", "--topic", "heavi", "--drain")
    assert "no group, job or task has the topic heavi; there are: default, heavy" in wrong.stderr
    assert "no group, job or task" not in shop.workers("worker", "--topic", "heavy", "--drain").stderr


def test_the_added_job_runs_as_it_is(shop):
    shop.workers("add", "job", "send-mail", "--topic", "heavy")
    done = shop.workers("exec", "send-mail", "--payload", '{"name": "Ada"}')
    assert json.loads(done.stdout) == {"done_for": "Ada"}
    shop.workers("validate", "--strict")


def test_the_doctor_finds_a_healthy_project_healthy(shop):
    findings = {finding["check"]: finding for finding in shop.json("doctor")}
    assert all(set(finding) == {"check", "state", "found", "advice"} for finding in findings.values())
    assert findings["config"]["state"] == "ok"
    assert "queue file" in findings


def test_the_doctor_ends_with_1_when_something_is_broken(tmp_path, shop):
    (tmp_path / "config.toml").write_text("concurrency = 0\n")
    sick = shop.workers("doctor", "--config", str(tmp_path / "config.toml"), check=False)
    assert sick.returncode == 1
    assert "problem" in sick.stdout


@pytest.mark.parametrize("command", [["combined"], ["worker"], ["status"], ["trigger", "hello"]])
def test_an_invalid_config_ends_with_78_and_names_the_place(tmp_path, shop, command):
    config = tmp_path / "config.toml"
    config.write_text("concurrency = 0\nqueue = 3\n")
    refused = shop.workers(*command, "--config", str(config), check=False)
    assert (refused.returncode, refused.stdout) == (78, "")
    assert f"{config}:1" in refused.stderr
    assert f"{config}:2" in refused.stderr


@pytest.mark.parametrize("command", [["combined"], ["status"]])
def test_a_queue_file_that_is_none_ends_with_69(tmp_path, shop, command):
    (tmp_path / "queue.sqlite3").write_bytes(b"this is no database, but long enough to look at" * 100)
    (tmp_path / "config.toml").write_text('[connections]\ndeno_kv_path = "queue.sqlite3"\n')
    refused = shop.workers(*command, "--config", str(tmp_path / "config.toml"), check=False)
    assert refused.returncode == 69
    assert "queue.sqlite3" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_disabled_daemon_says_so_and_ends_with_0(tmp_path, shop):
    (tmp_path / "config.toml").write_text("enabled = false\n")
    done = shop.workers("combined", "--config", str(tmp_path / "config.toml"))
    assert "enabled = false" in done.stderr


@pytest.mark.slow
def test_the_bench_measures_everything_and_leaves_nothing(tmp_path, shop):
    arguments = ("bench", "--scale", "0.001", "--repeat", "1", "--idle", "0.2", "--history", "100")
    figures = shop.json(*arguments, "--dir", str(tmp_path))["figures"]
    names = [figure["name"] for figure in figures]
    for part in (
        "enqueue",
        "runs in-process",
        "runs web-worker",
        "runs subprocess",
        "a task adds",
        "runs of a task",
        "latency web-worker p99",
    ):
        assert part in names
    assert all(figure["median"] >= 0 for figure in figures if figure["name"] != "a task adds")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_bench_that_is_told_to_end_takes_its_daemons_along(tmp_path):
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "netscript_workers",
            "bench",
            "--only",
            "idle",
            "--idle",
            "60",
            "--dir",
            str(tmp_path),
        ],
        stderr=subprocess.DEVNULL,
        env={**os.environ},
    )
    end = time.monotonic() + 40
    while not list(tmp_path.glob("*/project-1/workers/queue.sqlite3")):
        assert time.monotonic() < end
        time.sleep(0.05)
    process.terminate()
    assert process.wait(40) == 143
    assert list(tmp_path.iterdir()) == []
