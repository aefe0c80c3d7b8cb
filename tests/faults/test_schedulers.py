"""Real schedulers, killed and restarted: each tick is enqueued once, by whichever lives."""

import contextlib
import itertools
import os
import random
import signal
import subprocess
import time

import pytest

from support.daemons import PATIENCE_S, WORKERS, Project, until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]
CONFIG = """
runtime = "in-process"
concurrency = 4

[[jobs]]
id = "often"
entrypoint = "often.py:often"
schedule = "* * * * * *"
catch_up = "all"
"""
SLOW = CONFIG.replace('catch_up = "all"', 'catch_up = "all"\nmax_concurrency = 1')


@pytest.fixture(
    params=[
        "deno-kv",
        pytest.param("redis", marks=pytest.mark.services),
        pytest.param("postgres", marks=pytest.mark.services),
    ]
)
def project(request, tmp_path, monkeypatch) -> Project:
    if request.param == "redis":
        monkeypatch.setenv("REDIS_URL", request.getfixturevalue("redis_server").url)
    if request.param == "postgres":
        monkeypatch.setenv("DATABASE_URL", request.getfixturevalue("postgres_server").url)
    name = f"ticks-{os.getpid()}-{request.param}"
    config = f'queue_provider = "{request.param}"\nqueue_name = "{name}"\n{CONFIG}'
    return Project(tmp_path / "p", config, often="def often(ctx):\n    return ctx.id\n")


@contextlib.contextmanager
def started(project: Project, role: str):
    with (project.folder / "schedulers.log").open("ab") as out:
        process = subprocess.Popen(
            [WORKERS, role], cwd=project.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)


def by_cron(project: Project) -> list[dict]:
    records = project.json("executions", "--limit", "1000")
    return [record for record in records if record["triggeredBy"] == "cron"]


def test_killed_at_random_any_number_of_schedulers_enqueue_each_tick_once(project):
    chance = random.Random(7)
    with contextlib.ExitStack() as stack:
        roles = itertools.cycle(["scheduler", "combined"])
        living = [stack.enter_context(started(project, next(roles))) for _ in range(3)]
        until(lambda: by_cron(project), "the first tick")
        for _ in range(6):
            time.sleep(chance.uniform(0.2, 1.2))  # when in a second they are killed is what is left to chance
            victim = living.pop(0)
            victim.kill()
            victim.wait(PATIENCE_S)
            living.append(stack.enter_context(started(project, next(roles))))
        seen = len(by_cron(project))
        until(lambda: len(by_cron(project)) >= seen + 2, "ticks after the last kill")
    records = by_cron(project)
    # Ticks are a second apart and `all` brings back each one missed: as many as seconds have passed, and no more.
    moments = sorted(record["triggeredAt"] for record in records)
    until_last = seconds(moments[-1]) - seconds(moments[0])
    assert abs(len(records) - (until_last + 1)) <= 1, (len(records), until_last)
    with started(project, "combined"):
        ids = {record["id"] for record in records}
        until(lambda: finished(project, ids), "the runs of all ticks")


def test_handlers_slower_than_their_ticks_wait_for_each_other_and_lose_none(tmp_path):
    config = 'queue_provider = "deno-kv"\n' + SLOW
    project = Project(
        tmp_path / "p",
        config,
        often="import asyncio\nasync def often(ctx):\n    await asyncio.sleep(2)\n",
    )
    with project.daemon():
        until(lambda: len(by_cron(project)) >= 6, "six ticks")
        running = [record for record in by_cron(project) if record["status"] == "running"]
        assert len(running) <= 1
        (topic,) = project.json("status")["topics"]
        assert topic["queued"] + topic["pending"] >= 2
    assert all(
        record["status"] in {"queued", "pending", "running", "completed"} for record in by_cron(project)
    )


def seconds(iso: str) -> int:
    hour, minute, second = iso[11:19].split(":")
    return int(hour) * 3600 + int(minute) * 60 + int(second)


def finished(project: Project, ids: set[str]) -> bool:
    records = project.json("executions", "--limit", "1000")
    return all(record["status"] == "completed" for record in records if record["id"] in ids)
