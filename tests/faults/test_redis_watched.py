"""What the probes and the metrics say of a real daemon while its Redis is away."""

import socket
import urllib.error
import urllib.request

import pytest

from support.daemons import Project, until

pytestmark = [pytest.mark.faults, pytest.mark.services, pytest.mark.timeout(240)]

CONFIG = """
queue_provider = "redis"
[connections]
redis_url = "{url}"
deno_kv_path = "./archive.sqlite3"
[metrics]
listen = "127.0.0.1:{port}"
"""

JOB = """
from netscript_workers import job


@job("noop", runtime="in-process")
async def noop(ctx):
    return {}
"""


def get(port: int, path: str) -> tuple[int, str]:
    """Return status and body; (0, …) when nobody listens. A hung answer is an error of the test."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()
    except ConnectionError as nobody:
        return 0, str(nobody)
    except urllib.error.URLError as nobody:
        return 0, str(nobody.reason)


def test_a_daemon_without_its_redis_is_live_and_not_ready_and_its_scrape_ends(tmp_path, private_redis):
    server = private_redis()
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    project = Project(tmp_path, CONFIG.format(url=server.url, port=port), noop=JOB)
    with project.daemon():
        until(lambda: get(port, "/readyz")[0] == 200, "readiness")
        project.run("trigger", "noop", "--wait")
        assert "workers_queue_up 1.0" in get(port, "/metrics")[1]
        server.kill()
        until(lambda: get(port, "/readyz")[0] == 503, "the outage")
        assert "the queue is away" in get(port, "/readyz")[1]
        assert get(port, "/livez")[0] == 200
        assert project.run("health").returncode == 1
        assert project.run("health", "--live").returncode == 0
        until(lambda: "workers_queue_up 0.0" in get(port, "/metrics")[1], "the scrape that says so")
        text = get(port, "/metrics")[1]
        assert "workers_degraded 1.0" in text
        assert "workers_queue_depth" not in text
        assert 'workers_executions_total{outcome="completed",target="noop",topic="default"} 1.0' in text
        assert 'workers_engine_errors_total{call="claim_work"}' in text
        server.start()
        until(lambda: get(port, "/readyz")[0] == 200, "the end of the outage")
        until(lambda: "workers_queue_up 1.0" in get(port, "/metrics")[1], "the queue in a scrape")
