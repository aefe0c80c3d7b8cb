"""`kill -9` of the daemon under load, many times: nothing is lost, nothing stays running, little runs twice."""

import asyncio
import random
import signal
import time
from collections import Counter

import pytest

from netscript_workers.client import Client
from support.daemons import Project, until

RUNS = 400
KILLS = 6

CONFIG = """
concurrency = 4
runtime = "{mode}"
lease = "1s"
[[jobs]]
id = "note"
entrypoint = "note.py"
max_retries = 50
retry_delay = 0
"""

NOTE = """
import os
import time

from netscript_workers import job


@job("note")
def note(ctx, payload: dict):
    time.sleep(0.005)
    fd = os.open(payload["file"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, (ctx.id + "\\n").encode())
    os.close(fd)
"""


async def enqueue(config: str, file: str) -> list[str]:
    async with Client(config) as client:
        answers = await client.trigger_many("note", [{"file": file}] * RUNS)
    return [answer.id for answer in answers]


@pytest.mark.faults
@pytest.mark.timeout(180)
@pytest.mark.parametrize("mode", ["in-process", "web-worker", "subprocess"])
def test_nothing_is_lost_and_little_runs_twice_when_the_daemon_is_killed_again_and_again(tmp_path, mode):
    project = Project(tmp_path, CONFIG.format(mode=mode), note=NOTE)
    notes = tmp_path / "notes"
    ids = asyncio.run(enqueue(str(tmp_path / "config.toml"), str(notes)))
    chance = random.Random(7)
    for _ in range(KILLS):
        before = notes.stat().st_size if notes.exists() else 0
        daemon = project.start()
        until(lambda b=before: notes.exists() and notes.stat().st_size > b, "a first run")
        time.sleep(chance.uniform(0, 0.1))  # somewhere in mid-work is the point
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
    daemon = project.start()
    try:

        def finished() -> bool:
            status = project.json("status")
            return not any(t["queued"] + t["running"] + t["pending"] for t in status["topics"])

        until(finished, "the end of all runs", 90)
    finally:
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(45) == 0
    records = project.json("executions", "--limit", str(RUNS + 1))
    assert {record["id"] for record in records} == set(ids)
    assert {record["status"] for record in records} == {"completed"}
    runs = Counter(notes.read_text().split())
    assert set(runs) == set(ids)
    repeated = sum(count - 1 for count in runs.values())
    # At most what was in flight at each kill: 4 slots, and the look-ahead of an unsettled batch of short runs.
    assert repeated <= KILLS * 32, repeated
