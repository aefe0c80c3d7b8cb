"""Real daemons on a real Redis, killed, cut off and crowded: every execution ends, and none that completed runs again."""

import asyncio
import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from netscript_workers.client import Client
from support.daemons import Project, until
from support.server_kinds import RedisServer

pytestmark = [pytest.mark.faults, pytest.mark.services, pytest.mark.timeout(240)]

CONFIG = """
queue_provider = "redis"
concurrency = {slots}
runtime = "in-process"
lease = "2s"
[connections]
redis_url = "{url}"
deno_kv_path = "./archive.sqlite3"
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
    """A project on a Redis, its notes, and daemons by number."""

    def __init__(self, folder: Path, server: RedisServer, slots: int = 4) -> None:
        self.project = Project(folder, CONFIG.format(slots=slots, url=server.url), note=NOTE)
        self.config = str(folder / "config.toml")
        self.notes = folder / "notes"

    def enqueue(self, runs: int, seconds: float) -> list[str]:
        async def put() -> list[str]:
            async with Client(self.config) as client:
                payload = {"file": str(self.notes), "seconds": seconds}
                return [one.id for one in await client.trigger_many("note", [payload] * runs)]

        return asyncio.run(put())

    def ran(self) -> Counter[str]:
        """Tell how often each execution ran."""
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        return Counter(line.split()[0] for line in lines)

    def has_run_in(self, daemon: subprocess.Popen[bytes]) -> bool:
        return self.notes.exists() and f" {daemon.pid}\n" in self.notes.read_text()

    def start(self, number: int) -> subprocess.Popen[bytes]:
        return self.project.start("--log-level", "warning", log=f"daemon-{number}.log")

    def finished(self) -> bool:
        done = self.project.run("status", "--json")
        if done.returncode != 0:
            return False
        topics = self.project.json("status")["topics"]
        return not any(topic["queued"] + topic["running"] + topic["pending"] for topic in topics)

    def end(self, daemons: list[subprocess.Popen[bytes]]) -> None:
        for daemon in daemons:
            if daemon.poll() is None:
                daemon.send_signal(signal.SIGTERM)
        assert [daemon.wait(45) for daemon in daemons] == [0] * len(daemons)

    def all_completed(self, ids: list[str]) -> None:
        records = self.project.json("executions", "--limit", str(len(ids) + 1))
        assert {record["id"] for record in records} == set(ids)
        assert Counter(record["status"] for record in records) == {"completed": len(ids)}
        assert set(self.ran()) == set(ids)

    def repeated(self) -> int:
        return sum(count - 1 for count in self.ran().values())


def test_nothing_is_lost_when_workers_are_killed_again_and_again(tmp_path, private_redis):
    scene = Scene(tmp_path, private_redis())
    chance = random.Random(3)
    keeper = scene.start(0)
    ids: list[str] = []
    kills = 5
    try:
        for number in range(1, kills + 1):
            daemon = scene.start(number)
            try:
                until(lambda d=daemon: d.pid in pids(scene), "the daemon's announcement")
                ids += scene.enqueue(200, 0.02)
                until(lambda d=daemon: scene.has_run_in(d), "a run in the daemon")
                time.sleep(chance.uniform(0, 0.2))  # somewhere in mid-work is the point
            finally:
                daemon.send_signal(signal.SIGKILL)
                daemon.wait()
        until(scene.finished, "the end of all runs", 90)
    finally:
        scene.end([keeper])
    scene.all_completed(ids)
    assert scene.repeated() <= kills * 32


def pids(scene: Scene) -> set[int]:
    """The daemons that have announced themselves."""
    return {worker["pid"] for worker in scene.project.json("status")["workers"]}


@pytest.mark.parametrize("trouble", ["restart", "kill", "pause"])
def test_nothing_is_lost_when_the_server_is_in_trouble_in_mid_work(tmp_path, private_redis, trouble):
    server = private_redis()
    scene = Scene(tmp_path, server)
    daemons = [scene.start(number) for number in range(2)]
    try:
        # One that starts within the outage may rightly give up.
        until(lambda: len(pids(scene)) == 2, "both daemons")
        ids = scene.enqueue(1_200, 0.02)
        until(lambda: len(scene.ran()) > 50, "some runs")
        if trouble == "restart":
            server.restart()
        elif trouble == "kill":
            server.kill()
            time.sleep(1)  # the length of the outage
            server.start()
        else:
            server.pause()
            time.sleep(20)  # the length of the outage: longer than every lease and every bound of a command
            server.resume()
        until(scene.finished, "the end of all runs", 120)
        more = scene.enqueue(20, 0)
        until(scene.finished, "the end of the runs enqueued after it", 60)
    finally:
        scene.end(daemons)
    scene.all_completed([*ids, *more])
    # No worker was lost: what ran twice was taken from a worker that could not renew its lease for longer than that.
    assert scene.repeated() <= 2 * 32


def test_the_daemon_takes_a_trigger_tells_of_it_and_ends_when_it_is_unreachable(tmp_path, private_redis):
    server = private_redis()
    scene = Scene(tmp_path, server)
    ids = scene.enqueue(3, 0)
    drained = scene.project.run("combined", "--drain", "--log-level", "warning")
    assert drained.returncode == 0, drained.stderr
    scene.all_completed(ids)
    daemon = scene.start(0)
    try:
        payload = f'{{"file": "{scene.notes}", "seconds": 0}}'
        done = scene.project.json("trigger", "note", "--payload", payload, "--wait")
        assert done["status"] == "completed"
        assert scene.project.json("show", done["id"])["id"] == done["id"]
        assert [one["provider"] for one in [scene.project.json("status")]] == ["redis"]
    finally:
        scene.end([daemon])
    server.kill()
    lost = scene.project.run("status")
    assert lost.returncode == 69
    assert f"127.0.0.1:{server.port}" in lost.stderr
