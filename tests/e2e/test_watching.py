"""Health, metrics, `top` and `why`, with the real command and a real daemon."""

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import termios
import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.daemons import PATIENCE_S, WORKERS, Project, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

JOBS = """
import asyncio, time
from netscript_workers import job

@job("noop", runtime="in-process")
async def noop(ctx):
    return {}

@job("nap", max_concurrency=1)
async def nap(ctx):
    ctx.report_progress(40, "asleep")
    await asyncio.sleep(100)

@job("fail", max_retries=0)
async def fail(ctx):
    raise ValueError("no luck")

@job("block", runtime="in-process")
async def block(ctx):
    time.sleep(8)
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def project(tmp_path, port):
    config = f'shutdown_timeout = "1s"\n[metrics]\nlisten = "127.0.0.1:{port}"\n'
    return Project(tmp_path, config, jobs=JOBS)


def get(port: int, path: str, timeout: float = 20.0) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=timeout) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def status(port: int, path: str) -> int | None:
    try:
        return get(port, path)[0]
    except OSError:
        return None


def ready(port: int) -> bool:
    return status(port, "/readyz") == 200


def test_a_real_daemon_is_scraped(project, port):
    with project.daemon():
        until(lambda: ready(port), "readiness")
        for _ in range(3):
            project.run("trigger", "noop", "--wait")
        project.run("trigger", "fail", "--wait")
        code, text = get(port, "/metrics")
        assert code == 200
        found = {
            (one.name, one.labels.get("target"), one.labels.get("outcome")): one.value
            for family in text_string_to_metric_families(text)
            for one in family.samples
        }
        assert found["workers_executions_total", "noop", "completed"] == 3
        assert found["workers_executions_total", "fail", "failed"] == 1
        assert found["workers_execution_duration_seconds_count", "noop", None] == 3
        assert found["workers_slots", None, None] == 2
        assert found["workers_queue_up", None, None] == 1


def test_a_paused_daemon_is_live_and_not_ready(project, port):
    with project.daemon() as daemon:
        until(lambda: project.run("health").returncode == 0, "health")
        assert project.json("health") == {"healthy": True, "workers": [json.loads(get(port, "/healthz")[1])]}
        daemon.send_signal(signal.SIGTSTP)
        until(lambda: status(port, "/readyz") == 503, "the pause")
        assert status(port, "/livez") == 200
        assert project.run("health").returncode == 1
        assert project.run("health", "--live").returncode == 0
        daemon.send_signal(signal.SIGCONT)
        until(lambda: ready(port), "the end of the pause")
    gone = project.run("health")
    assert (gone.returncode, "No worker" in gone.stdout) == (1, True)


def test_a_hung_loop_is_not_live(project, port):
    with project.daemon():
        until(lambda: ready(port), "readiness")
        project.trigger("block")

        def hangs() -> bool:
            return project.run("health", "--timeout", "1s", "--live").returncode == 1

        until(hangs, "the hang")
        until(lambda: project.run("health").returncode == 0, "the end of the hang")


def test_a_daemon_that_was_killed_leaves_nothing_that_looks_alive(project, port):
    with project.daemon() as daemon:
        until(lambda: ready(port), "readiness")
        daemon.kill()
        daemon.wait(PATIENCE_S)
        assert project.run("health").returncode == 1


def test_a_second_daemon_on_the_same_address_says_so_and_ends_with_69(project, port):
    with project.daemon():
        until(lambda: ready(port), "readiness")
        second = project.run("combined")
        assert second.returncode == 69
        assert f"127.0.0.1:{port} (metrics.listen)" in second.stderr


def test_why_and_top_once_tell_what_runs_and_what_waits(project, port):
    with project.daemon():
        until(lambda: ready(port), "readiness")
        running = project.trigger("nap")
        until(lambda: project.json("why", running)["status"] == "running", "the run")
        waiting = project.trigger("nap")
        told = project.json("why", waiting)
        assert set(told) == {"subject", "jobId", "topic", "status", "reasons"}
        assert [one["code"] for one in told["reasons"]] == ["max-concurrency"]
        assert running in told["reasons"][0]["message"]
        until(lambda: "40 % asleep" in project.run("top").stdout, "the progress")
        dead = project.trigger("fail")
        until(lambda: project.json("why", dead)["status"] == "failed", "the death")
        assert [one["code"] for one in project.json("why", dead)["reasons"]] == ["dead", "attempt-exception"]
        project.run("pause", "default")
        assert "paused" in project.run("why", "noop").stdout
        assert project.run("why", "nope").returncode == 1
        project.run("cancel", running, waiting)


def test_why_sees_a_full_lane_beside_one_that_is_idle(tmp_path):
    lanes = 'shutdown_timeout = "1s"\n[[groups]]\ntopic = "narrow"\nscaling = { concurrency = 1 }\n'
    jobs = JOBS + '\n@job("doze", topic="narrow")\nasync def doze(ctx):\n    await asyncio.sleep(100)\n'
    project = Project(tmp_path, lanes, jobs=jobs)
    with project.daemon():
        running = project.trigger("doze")
        until(lambda: project.json("why", running)["status"] == "running", "the run")
        waiting = project.trigger("doze")
        assert [one["code"] for one in project.json("why", waiting)["reasons"]] == ["topic-full"]
        assert [one["code"] for one in project.json("why", "noop")["reasons"]] == ["ready"]
        project.run("cancel", running, waiting)


def test_top_shows_what_ended_in_a_second_though_as_much_arrives(project):
    with project.daemon():
        until(lambda: project.run("health").returncode == 0, "readiness")

        def rate():
            for _ in range(3):
                project.trigger("noop")
            lanes = [line.split() for line in project.run("top", "--once").stdout.splitlines()]
            return next((row[-1] for row in lanes if row and row[0] == "default"), "0.0")

        until(lambda: float(rate()) > 0, "a rate")


def test_top_on_a_terminal_pauses_a_lane_cancels_a_run_and_ends(project, port):
    with project.daemon():
        until(lambda: ready(port), "readiness")
        running = project.trigger("nap")
        until(lambda: project.json("show", running)["status"] == "running", "the run")
        with terminal(project) as (top, screen):
            until(lambda: running in drawn(screen), "the screen")
            os.write(screen, b"p")
            until(
                lambda: drawn(screen) is not None and project.json("status")["topics"][0]["paused"],
                "the pause",
            )
            os.write(screen, b"p\tc")
            until(
                lambda: drawn(screen) is not None and project.json("show", running)["status"] == "cancelled",
                "it",
            )
            os.write(screen, b"q")
            until(lambda: drawn(screen) is not None and top.poll() is not None, "the end")
            assert top.returncode == 0
        assert not any(one["paused"] for one in project.json("status")["topics"])


_seen: dict[int, str] = {}


def drawn(screen: int) -> str:
    """Return all that was drawn so far."""
    while select.select([screen], [], [], 0.05)[0]:
        try:
            _seen[screen] = _seen.get(screen, "") + os.read(screen, 65_536).decode(errors="replace")
        except OSError:  # the other end is closed
            break
    return _seen.get(screen, "")


@contextlib.contextmanager
def terminal(project):
    screen, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
    top = subprocess.Popen(
        [WORKERS, "top", "--every", "200"],
        cwd=project.folder,
        stdin=other,
        stdout=other,
        stderr=other,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(other)
    try:
        yield top, screen
    finally:
        top.kill()
        top.wait(PATIENCE_S)
        os.close(screen)
        _seen.pop(screen, None)


def test_a_flood_of_slow_connections_does_not_stop_the_work(project, port):
    with project.daemon(), contextlib.ExitStack() as open_ones:
        until(lambda: ready(port), "readiness")
        for _ in range(200):
            one = open_ones.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            one.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
        assert project.run("trigger", "noop", "--wait").returncode == 0
        assert project.run("health").returncode == 0  # the local socket has connections of its own
        until(lambda: ready(port), "the end of the slow ones")
