"""One of four workers after another is restarted under load: nothing is lost, nothing runs twice, nothing stalls."""

import asyncio
import itertools
import signal
import threading

import pytest

from netscript_workers.client import Client
from support.daemons import Project, until

# Several interpreters start in each: on a busy machine that takes its time.
pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

CONFIG = """
concurrency = 2
shutdown_timeout = "20s"
"""

JOBS = """
import os
import time

from netscript_workers import job


@job("note", max_retries=0)
def note(ctx, payload: dict):
    time.sleep(0.02)
    fd = os.open(payload["file"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, (ctx.id + "\\n").encode())
    os.close(fd)
"""


def feed(folder, ids, stop) -> None:
    """Enqueue all the time, in small handfuls."""

    payloads = [{"file": str(folder / "notes")}] * 10

    async def all_the_time() -> None:
        async with Client(str(folder / "config.toml")) as client:
            while not stop.is_set():
                ids.extend(one.id for one in await client.trigger_many("note", payloads))
                await asyncio.sleep(0.1)

    asyncio.run(all_the_time())


def test_restarting_one_of_four_workers_after_another_under_load_loses_and_stalls_nothing(tmp_path):
    project = Project(tmp_path, CONFIG, jobs=JOBS)
    notes = tmp_path / "notes"
    ids: list[str] = []
    stop = threading.Event()
    logs = itertools.count()

    def start():
        name = f"worker-{next(logs)}.log"
        process = project.start(command="worker", log=name)
        until(lambda: " is up: " in (tmp_path / name).read_text(), "a worker")
        return process

    def progress() -> int:
        return notes.stat().st_size if notes.exists() else 0

    workers = [start() for _ in range(4)]
    feeder = threading.Thread(target=feed, args=(tmp_path, ids, stop))
    feeder.start()
    try:
        until(progress, "the first run")
        for place in range(4):
            before = progress()
            workers[place].send_signal(signal.SIGTERM)
            until(lambda b=before: progress() > b, "runs of the other three meanwhile")
            assert workers[place].wait(45) == 0
            before = progress()
            until(lambda b=before: progress() > b, "runs of the three that are left")
            workers[place] = start()
        stop.set()
        feeder.join(45)

        def finished() -> bool:
            return not any(
                t["queued"] + t["running"] + t["pending"] for t in project.json("status")["topics"]
            )

        until(finished, "the end of all runs", 90)
    finally:
        stop.set()
        feeder.join(45)
        for worker in workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGTERM)
        statuses = [worker.wait(60) for worker in workers]
    assert statuses == [0, 0, 0, 0]
    records = project.json("executions", "--limit", str(len(ids) + 1))
    assert {record["id"] for record in records} == set(ids)
    assert {(record["status"], record["attempt"]) for record in records} == {("completed", 1)}
    runs = notes.read_text().split()
    assert sorted(runs) == sorted(ids)
