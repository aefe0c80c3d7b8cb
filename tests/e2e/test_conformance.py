"""`workers conformance` against real servers."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import redis

from support.daemons import WORKERS
from support.server_kinds import PostgresServer, RabbitServer, RedisServer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(150)]


def conformance(folder: Path, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [WORKERS, "conformance", *options],
        cwd=folder,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_embedded_queue_keeps_every_promise(tmp_path):
    done = conformance(tmp_path, "--json", "--lease", "1s")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["provider"] == "deno-kv"
    assert found["kept"]
    assert {check["check"] for check in found["checks"]} >= {
        "order",
        "priority",
        "duplicates",
        "lost worker",
        "delay",
    }
    assert found["checks"][-1]["figures"]["leaseMs"] == 1000


@pytest.mark.services
@pytest.mark.parametrize("server", ["redis_server", "postgres_server", "rabbitmq_server"])
def test_a_server_keeps_every_promise_and_is_left_as_it_was(tmp_path, server, request):
    running = request.getfixturevalue(server)
    done = conformance(tmp_path, "--provider", running.url, "--json", "--lease", "1s")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["provider"] == {"rabbitmq": "amqp"}.get(running.name, running.name)
    assert found["kept"]
    assert "could not remove" not in done.stderr
    assert entries(running, found["queueName"]) == 0


def entries(server: RedisServer | PostgresServer | RabbitServer, queue_name: str) -> int:
    """Count what a server holds for a queue."""
    if isinstance(server, PostgresServer):
        names = int(server.sql(f"SELECT count(*) FROM netscript.queue WHERE name = '{queue_name}'"))
        nameless = "queue NOT IN (SELECT number FROM netscript.queue)"
        tables = ("execution", "finished", "pause", "worker", "garbage")
        return names + sum(
            int(server.sql(f"SELECT count(*) FROM netscript.{each} WHERE {nameless}")) for each in tables
        )
    if isinstance(server, RabbitServer):
        there = server.ctl("list_queues", "--silent", "name") + server.ctl(
            "list_exchanges", "--silent", "name"
        )
        # Queues of delays go by themselves some time after the last delayed ticket has left them.
        lasting = [line for line in there.splitlines() if ".delay." not in line and ".due." not in line]
        return sum(queue_name in line for line in lasting)
    with redis.Redis.from_url(server.url, protocol=2) as client:
        return sum(1 for _ in client.scan_iter(f"netscript:{{{queue_name}}}:*"))


def test_the_matrix_is_a_table_and_notes_go_to_stderr(tmp_path):
    done = conformance(tmp_path, "--provider", "memory", "--lease", "500ms")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[0].split() == ["CHECK", "STATE", "FOUND"]
    assert "trying: order" in done.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--provider", "mysql://u:hidden@h/x"), "“mysql://” is none of"),
        (("--lease", "1ms"), "--lease must be from 500ms to 20s"),
        (("--provider", "bogus"), "bogus"),
    ],
)
def test_wrong_usage_is_told(tmp_path, options, says):
    done = conformance(tmp_path, *options)
    assert done.returncode in {2, 78}
    assert says in done.stderr
    assert "hidden" not in done.stderr
