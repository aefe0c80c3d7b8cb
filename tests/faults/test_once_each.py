"""Four daemons on one queue of each kind: each execution runs once, and one that is recorded as completed never runs again."""

import asyncio
import random
import signal
import subprocess
import time
from collections import Counter

import pytest

from contracts.amqp import delete_queues, queue_name
from netscript_workers.client import Client
from support.daemons import Project, until

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(420)]

WORKERS = 4
RUNS = 10_000
PIECE = 500
KILLS = 3

CONFIG = """
queue_provider = "{provider}"
queue_name = "{name}"
concurrency = 20
runtime = "in-process"
lease = "{lease}"
[connections]
deno_kv_path = "./queue.db"
{url}
[[jobs]]
id = "note"
entrypoint = "note.py"
max_retries = 50
retry_delay = 0
"""

NOTE = """
import asyncio
import os

from netscript_workers import job


@job("note")
async def note(ctx, payload: dict):
    await asyncio.sleep(payload["seconds"])
    fd = os.open(payload["file"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, f"{ctx.id} {os.getpid()}\\n".encode())
    os.close(fd)
"""


class Scene:
    """A project on a queue of its own, and what its runs have noted: which execution ran, and in which process."""

    def __init__(self, folder, provider: str, url: str) -> None:
        self.folder, self.provider, self.url, self.name = folder, provider, url, queue_name()
        self.project: Project

    def lay_out(self, lease: str) -> None:
        text = CONFIG.format(provider=self.provider, name=self.name, lease=lease, url=self.url)
        self.project = Project(self.folder, text, note=NOTE)

    def enqueue(self, runs: int, seconds: float) -> list[str]:
        payload = {"file": str(self.folder / "notes"), "seconds": seconds}

        async def put() -> list[str]:
            ids: list[str] = []
            async with Client(self.folder / "config.toml") as client:
                for begin in range(0, runs, PIECE):
                    payloads = [payload] * min(PIECE, runs - begin)
                    ids += [one.id for one in await client.trigger_many("note", payloads)]
            return ids

        return asyncio.run(put())

    def noted(self, column: int = 0) -> Counter[str]:
        notes = self.folder / "notes"
        return (
            Counter(line.split()[column] for line in notes.read_text().splitlines())
            if notes.exists()
            else Counter()
        )

    def finished(self) -> bool:
        topics = self.project.json("status")["topics"]
        return not any(topic["queued"] + topic["running"] + topic["pending"] for topic in topics)

    def completed(self) -> dict[str, int]:
        """Return the attempt with which each completed one did."""
        records = self.project.json("executions", "--status", "completed", "--limit", str(2 * RUNS))
        return {record["id"]: record["attempt"] for record in records}


@pytest.fixture(
    params=[
        "deno-kv",
        pytest.param("redis", marks=pytest.mark.services),
        pytest.param("postgres", marks=pytest.mark.services),
        pytest.param("amqp", marks=pytest.mark.services),
    ]
)
def scene(request, tmp_path):
    if request.param == "redis":
        server = request.getfixturevalue("private_redis")()
        yield Scene(tmp_path, "redis", f'redis_url = "{server.url}"')
    elif request.param == "postgres":
        server = request.getfixturevalue("postgres_server")
        yield Scene(tmp_path, "postgres", f'database_url = "{server.new_database()}"')
    elif request.param == "amqp":
        server = request.getfixturevalue("rabbitmq_server")
        made = Scene(tmp_path, "amqp", f'amqp_url = "{server.url}"')
        yield made
        asyncio.run(delete_queues(server, made.name))
    else:
        yield Scene(tmp_path, "deno-kv", "")


def end(daemons: list[subprocess.Popen[bytes]]) -> None:
    for daemon in daemons:
        if daemon.poll() is None:
            daemon.send_signal(signal.SIGTERM)
    assert [daemon.wait(45) for daemon in daemons] == [0] * len(daemons)


def test_ten_thousand_short_runs_run_once_each_and_all_four_workers_take_part(scene):
    scene.lay_out(lease="30s")
    project = scene.project
    daemons = [project.start() for _ in range(WORKERS)]
    try:
        until(lambda: project.log().count(" is up: ") == WORKERS, "all four", 150)
        ids = scene.enqueue(RUNS, 0.002)
        until(lambda: scene.noted().total() >= RUNS, "all runs", 150)
        until(scene.finished, "their settlements", 60)
    finally:
        end(daemons)
    assert scene.noted() == dict.fromkeys(ids, 1)
    assert set(scene.noted(1)) == {str(daemon.pid) for daemon in daemons}
    assert scene.completed() == dict.fromkeys(ids, 1)


def test_what_is_recorded_as_completed_never_runs_again_however_often_workers_are_killed(scene):
    scene.lay_out(lease="1s")
    project, chance = scene.project, random.Random(5)
    ids = scene.enqueue(3_000, 0.005)
    recorded: dict[str, tuple[int, int]] = {}
    for _ in range(KILLS):
        before = scene.noted().total()
        daemons = [project.start("--log-level", "warning") for _ in range(2)]
        try:
            until(
                lambda b=before: scene.noted().total() > b + 20 or len(scene.noted()) == len(ids), "some runs"
            )
            time.sleep(chance.uniform(0, 0.1))  # somewhere in mid-work is the point
        finally:
            for daemon in daemons:
                daemon.send_signal(signal.SIGKILL)
                daemon.wait()
        runs = scene.noted()  # nobody runs anything now: what is recorded and what was run stand still
        for one, attempt in scene.completed().items():
            assert recorded.setdefault(one, (runs[one], attempt)) == (runs[one], attempt)
    assert recorded
    daemon = project.start("--log-level", "warning")
    try:
        until(lambda: len(scene.noted()) == len(ids), "all runs", 150)
        until(scene.finished, "their settlements", 60)
    finally:
        end([daemon])
    runs, completed = scene.noted(), scene.completed()
    assert set(completed) == set(runs) == set(ids)
    assert {one: (runs[one], completed[one]) for one in recorded} == recorded
