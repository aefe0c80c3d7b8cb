"""Deno enqueues under running daemons that are killed in the middle of moving: each message is run, and none is doubled."""

import signal
import subprocess
import time
from collections import Counter

import pytest

from support.daemons import Project, until
from support.deno import argv, environment

pytestmark = [pytest.mark.faults, pytest.mark.services, pytest.mark.timeout(240)]

CONFIG = """
runtime = "in-process"
concurrency = 50
lease = "2s"
[connections]
deno_kv_path = "queue.db"
[[jobs]]
id = "note"
entrypoint = "note.py"
max_retries = 50
retry_delay = 0
"""
NOTE = """
import os

from netscript_workers import job

FILE = os.open("notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT)


@job("note")
async def note(ctx, payload: dict):
    os.write(FILE, f"{payload['n']}\\n".encode())
"""
ENQUEUE = """
const kv = await Deno.openKv(Deno.args[0]);
const count = Number(Deno.args[1]);
for (let n = 0; n < count; n += 10) {
  const ten = Array.from({ length: Math.min(10, count - n) }, (_, i) => ({ jobId: "note", payload: { n: n + i } }));
  await Promise.all(ten.map((message) => kv.enqueue(message)));
}
kv.close();
"""


def enqueuing(deno: str, tmp_path, count: int) -> subprocess.Popen[bytes]:
    command = argv(deno, tmp_path, ENQUEUE, str(tmp_path / "queue.db"), str(count))
    return subprocess.Popen(command, env=environment(tmp_path), stdin=subprocess.DEVNULL)


def counted(tmp_path) -> Counter[int]:
    notes = tmp_path / "notes"
    return Counter(int(line) for line in notes.read_text().split()) if notes.exists() else Counter()


def test_ten_thousand_messages_under_two_running_daemons_run_exactly_once_each(deno, tmp_path):
    project = Project(tmp_path, CONFIG, note=NOTE)
    with project.daemon(), project.daemon():
        until(lambda: len(project.json("status")["workers"]) == 2, "both daemons")
        program = enqueuing(deno, tmp_path, 10_000)
        assert program.wait(120) == 0
        until(lambda: len(counted(tmp_path)) == 10_000, "every run", 120)

        def settled() -> bool:
            return not project.json("status")["topics"]

        until(settled, "the last settlement")
        assert set(counted(tmp_path).values()) == {1}
    assert len(project.json("executions", "--status", "completed", "--limit", "20000")) == 10_000


def test_no_message_is_lost_or_doubled_when_the_daemon_is_killed_while_it_moves(deno, tmp_path):
    project = Project(tmp_path, CONFIG, note=NOTE)
    program = enqueuing(deno, tmp_path, 3_000)
    for _ in range(5):
        before = sum(counted(tmp_path).values())
        daemon = project.start()
        until(lambda b=before: sum(counted(tmp_path).values()) > b, "a first run")
        time.sleep(0.05)  # somewhere in the midst of moving and running is the point
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
        if program.poll() is not None and len(counted(tmp_path)) == 3_000:
            break
    assert program.wait(60) == 0
    with project.daemon():
        until(lambda: len(counted(tmp_path)) == 3_000, "every run", 120)

        def finished() -> bool:
            status = project.json("status")
            return not any(t["queued"] + t["running"] + t["pending"] for t in status["topics"])

        until(finished, "the end of all runs")
    records = project.json("executions", "--limit", "10000")
    # A run may be repeated after a kill; its execution is there once, so no message was moved twice.
    assert sorted(record["payload"]["n"] for record in records) == list(range(3_000))
    assert {record["status"] for record in records} == {"completed"}
