"""Real daemons at a real RabbitMQ that is killed, restarted, paused: every execution ends, none that completed runs again."""

import asyncio
import contextlib
import signal
import threading
from collections import Counter

import pytest
from pamqp import commands

from contracts.amqp import bare_link, delete_queues, queue_name
from netscript_workers.client import Client
from netscript_workers.engines.amqp.messages import Outgoing
from netscript_workers.errors import EngineError
from support.daemons import Project, until
from support.server_kinds import RabbitServer

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.services, pytest.mark.timeout(240)]

CONFIG = """
queue_provider = "amqp"
queue_name = "{name}"
concurrency = {slots}
runtime = "in-process"
lease = "{lease}"
[connections]
amqp_url = "{url}"
[[jobs]]
id = "note"
entrypoint = "jobs.py:note"
max_retries = 5
retry_delay = 50
[[jobs]]
id = "hold"
entrypoint = "jobs.py:hold"
max_retries = 5
retry_delay = 50
timeout = "5m"
"""

JOBS = """
import asyncio
import os

from netscript_workers import job


def write(path, text):
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, (text + "\\\\n").encode())
    os.close(fd)


@job("note")
async def note(ctx, payload: dict):
    write("notes", ctx.id)


@job("hold")
async def hold(ctx, payload: dict):
    write("begun", ctx.id)
    while not os.path.exists("let-go"):
        await asyncio.sleep(0.02)
    write("notes", ctx.id)
"""


@pytest.fixture(scope="module")
def server():
    """A RabbitMQ that ends what is not acknowledged within three seconds, so that any run here is too long for it."""
    with RabbitServer("consumer_timeout = 3000") as rabbit:
        rabbit.ctl("eval", "application:set_env(rabbit, channel_tick_interval, 500).")
        yield rabbit


@pytest.fixture
def project(server, tmp_path):
    name = queue_name()
    text = CONFIG.format(name=name, url=server.url + "?heartbeat=2", slots=8, lease="3s")
    yield Project(tmp_path, text, jobs=JOBS.replace("\\\\n", "\\n"))
    asyncio.run(delete_queues(server, name))


def many(project, target, count):
    async def enqueue():
        async with Client(str(project.folder / "config.toml")) as client:
            return [answer.id for answer in await client.trigger_many(target, [{}] * count)]

    return asyncio.run(enqueue())


@contextlib.contextmanager
def daemons(project, count):
    running = [project.start(log=f"daemon-{number}.log") for number in range(count)]
    try:
        until(lambda: len(project.json("status")["workers"]) == count, "the daemons")
        yield running
    finally:
        for daemon in running:
            if daemon.poll() is None:
                daemon.send_signal(signal.SIGTERM)
        for daemon in running:
            daemon.wait(45)


def lines(project, name):
    path = project.folder / name
    return path.read_text().split() if path.exists() else []


def all_ended(project):
    status = project.json("status")
    return not any(topic["queued"] + topic["running"] + topic["pending"] for topic in status["topics"])


def assert_each_ended_well(project, ids, *, once=True):
    until(lambda: all_ended(project), "the end of all runs", 120)
    records = project.json("executions", "--limit", str(len(ids) + 1))
    assert {record["id"] for record in records} == set(ids)
    assert {record["status"] for record in records} == {"completed"}
    runs = Counter(lines(project, "notes"))
    assert set(runs) == set(ids)
    if once:
        assert max(runs.values()) == 1


def test_ten_thousand_short_runs_over_four_workers_run_once_each(project):
    with daemons(project, 4):
        ids = many(project, "note", 10_000)
        assert_each_ended_well(project, ids)
        records = project.json("executions", "--limit", "10001")
    assert len({record["workerId"] for record in records}) > 1


def test_a_worker_killed_in_the_middle_of_its_runs_loses_nothing(project):
    with daemons(project, 2) as (first, second):
        ids = many(project, "hold", 12)
        until(lambda: len(lines(project, "begun")) == 12, "the runs on both")
        first.kill()
        first.wait()
        (project.folder / "let-go").touch()
        assert_each_ended_well(project, ids)
        assert second.poll() is None


def test_a_restart_of_the_server_in_the_middle_of_runs_loses_nothing(project, server):
    with daemons(project, 2) as running:
        held = many(project, "hold", 4)
        until(lambda: len(lines(project, "begun")) == 4, "the runs")
        server.restart()
        server.ctl("eval", "application:set_env(rabbit, channel_tick_interval, 500).")
        (project.folder / "let-go").touch()
        ids = held + many(project, "note", 200)
        assert_each_ended_well(project, ids)
        assert all(daemon.poll() is None for daemon in running)
    log = "".join((project.folder / f"daemon-{number}.log").read_text() for number in range(2))
    assert "connected to" in log  # a short restart may meet no call, only connections
    assert "guest:guest" not in log


def test_a_server_killed_with_what_it_holds_loses_nothing(project, server):
    with daemons(project, 2):
        ids = many(project, "note", 2_000)
        server.kill()
        server.start()
        server.ctl("eval", "application:set_env(rabbit, channel_tick_interval, 500).")
        ids += many(project, "note", 200)
        assert_each_ended_well(project, ids)


def test_a_server_paused_for_twenty_seconds_loses_nothing(project, server):
    with daemons(project, 2) as running:
        held = many(project, "hold", 4)
        until(lambda: len(lines(project, "begun")) == 4, "the runs")
        server.pause()
        resume = threading.Timer(20, server.resume)
        resume.start()
        try:
            (project.folder / "let-go").touch()
            until(lambda: len(lines(project, "notes")) == 4, "the ends of the runs, RabbitMQ or not", 15)
        finally:
            resume.join()
        ids = held + many(project, "note", 200)
        assert_each_ended_well(project, ids)
        assert all(daemon.poll() is None for daemon in running)


def test_a_run_longer_than_the_consumer_timeout_is_not_disturbed(project, server):
    with daemons(project, 1):
        held = many(project, "hold", 2)
        until(lambda: len(lines(project, "begun")) == 2, "the runs")
        assert "timeout" in asyncio.run(end_of_one_who_holds_a_message(server))
        (project.folder / "let-go").touch()
        assert_each_ended_well(project, held)
    log = (project.folder / "daemon-0.log").read_text()
    assert "lost a connection" not in log
    assert "degraded" not in log


async def end_of_one_who_holds_a_message(server):
    """Take a message, never acknowledge it, and return why RabbitMQ ended that: what our own runs would meet."""
    queue = queue_name()
    async with bare_link(server) as link:
        await link.call(commands.Queue.Declare(queue=queue), commands.Basic.Consume(queue=queue))
        await link.publish([Outgoing(queue, b"{}")])
        async with asyncio.timeout(45):
            await link.lost.wait()
        with pytest.raises(EngineError) as ended:
            link.check()
    async with bare_link(server) as link:
        await link.call(commands.Queue.Delete(queue=queue))
    return str(ended.value)
