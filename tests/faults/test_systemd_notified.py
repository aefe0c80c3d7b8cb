"""Real daemons under a systemd's socket: ready, status, signs of life only while the loops move, the end."""

import contextlib
import os
import signal
import socket
import subprocess
import time

import pytest

from support.daemons import WORKERS, Project, until

# Several interpreters start in each: on a busy machine that takes its time.
pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

CONFIG = """
lease = "1s"
shutdown_timeout = "10s"
[[groups]]
topic = "mail"
runtime = "in-process"
scaling = { mode = "distributed" }
"""

JOBS = """
import os
import time

from netscript_workers import job


@job("blocks", topic="mail", max_retries=0, timeout="10m")
async def blocks_the_loop(ctx):
    time.sleep(3_600)


@job("long", topic="mail", max_retries=0, timeout="10m")
def long(ctx):
    while not os.path.exists("let-go"):
        time.sleep(0.02)
    return [name for name in os.environ if name.startswith(("NOTIFY_", "WATCHDOG_", "NETSCRIPT_WORKERS_LINK"))]
"""


class Notified:
    """A daemon and what it has said to the socket that stands for systemd."""

    def __init__(self, folder, command):
        self.out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.out.bind(str(folder / "notify"))
        self.out.setblocking(False)
        self.said: list[str] = []
        with (folder / "daemon.log").open("ab") as log:
            self.process = subprocess.Popen(
                [WORKERS, command],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "3000000"},
            )

    def hear(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                self.said += self.out.recv(65_536).decode().split("\n")
        return self.said

    def until(self, field, seconds=45.0):
        until(lambda: any(one.startswith(field) for one in self.hear()), field, seconds)

    def beats(self):
        return self.hear().count("WATCHDOG=1")


@contextlib.contextmanager
def notified(folder, command):
    one = Notified(folder, command)
    try:
        yield one
    finally:
        if one.process.poll() is None:
            one.process.send_signal(signal.SIGTERM)
        try:
            one.process.wait(90)
        finally:
            one.process.kill()
            one.out.close()


@pytest.mark.parametrize("command", ["combined", "worker", "run"])
def test_a_daemon_is_ready_beats_shows_its_state_and_asks_for_time_while_it_drains(tmp_path, command):
    project = Project(tmp_path, CONFIG, jobs=JOBS)
    with notified(tmp_path, command) as daemon:
        daemon.until("READY=1")
        before = daemon.beats()
        until(lambda: daemon.beats() > before + 1, "signs of life")
        execution = project.trigger("long")
        busy = "1 of " if command != "run" else "running: "
        until(
            lambda: any(one.startswith(f"STATUS={busy}") and "1 of " in one for one in daemon.hear()),
            "the state",
        )
        daemon.process.send_signal(signal.SIGTERM)
        daemon.until("STOPPING=1")
        until(lambda: daemon.hear().count("EXTEND_TIMEOUT_USEC=20000000") > 1, "more time")
        (tmp_path / "let-go").touch()
        assert daemon.process.wait(45) == 0
    record = project.json("show", execution)
    assert (record["status"], record["result"]) == ("completed", [])  # no child may speak for the daemon


def test_a_daemon_whose_loop_hangs_gives_no_more_signs_of_life(tmp_path):
    project = Project(tmp_path, CONFIG, jobs=JOBS)
    with notified(tmp_path, "worker") as daemon:
        daemon.until("READY=1")
        project.trigger("blocks")
        seen, since = daemon.beats(), time.monotonic()
        while time.monotonic() - since < 3.5:  # the watchdog's period: then systemd acts
            time.sleep(0.05)
            if daemon.beats() > seen:
                seen, since = daemon.beats(), time.monotonic()
        daemon.process.send_signal(signal.SIGABRT)  # which is what systemd does
        assert daemon.process.wait(45) == -signal.SIGABRT
    assert "blocks_the_loop" in project.log()


def test_a_tree_tells_of_a_reload_and_its_end(tmp_path):
    Project(tmp_path, CONFIG, jobs=JOBS)
    with notified(tmp_path, "run") as daemon:
        daemon.until("READY=1")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.until("RELOADING=1")
        until(lambda: daemon.hear().count("READY=1") == 2, "the end of the reload")
