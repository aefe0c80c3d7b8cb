"""systemd is told how a daemon is: over its socket, in its words, and only while the daemon moves."""

import asyncio
import os
import signal
import socket

import pytest

from netscript_workers.engines.memory import MemoryEngine
from netscript_workers.supervisor.daemon import Daemon, DaemonParts
from netscript_workers.supervisor.notices import Notices
from netscript_workers.supervisor.systemd import take_service_manager

PATIENCE_S = 20.0


class Manager:
    """A systemd's end of the socket."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)
        self.said: list[str] = []

    def read(self):
        while True:
            try:
                self.said += self.socket.recv(65_536).decode().split("\n")
            except BlockingIOError:
                return self.said

    async def until(self, field, times=1):
        async with asyncio.timeout(PATIENCE_S):
            while self.read().count(field) < times:
                await asyncio.sleep(0.01)


@pytest.fixture
def manager(tmp_path):
    one = Manager(str(tmp_path / "notify"))
    yield one
    one.socket.close()


class Line:
    name = "line"

    async def start(self): ...

    async def stop(self, grace_ms): ...

    def pause(self): ...

    def resume(self): ...

    async def interrupt(self): ...


async def never():
    await asyncio.Event().wait()


async def reached(_within_ms): ...


def daemon(notices, line=None):
    return Daemon(
        DaemonParts(
            engine=MemoryEngine(),
            reach=reached,
            line=line or Line(),
            services=[],
            slots=list,
            fault=never,
            drained=None,
            connect_timeout=1_000,
            shutdown_timeout=1_000,
            greeting="up",
            notices=notices,
        )
    )


def notices_of(address, **variables):
    return Notices.from_environment({"NOTIFY_SOCKET": address, **variables})


@pytest.mark.parametrize("address", ["path", "abstract"])
async def test_a_daemon_says_when_it_is_ready_and_when_it_stops(tmp_path, address):
    name = f"workers-test-{os.getpid()}"
    shown = f"@{name}" if address == "abstract" else str(tmp_path / "notify")
    manager = Manager(f"\0{name}" if address == "abstract" else shown)
    try:
        notices = notices_of(shown)
        notices.describe(lambda: "1 of 2\nslots busy", float)
        running = asyncio.create_task(daemon(notices).run())
        await manager.until("READY=1")
        os.kill(os.getpid(), signal.SIGTERM)
        assert await asyncio.wait_for(running, PATIENCE_S) == 0
        said = manager.read()
        assert "STATUS=1 of 2 slots busy" in said
        assert said.index("READY=1") < said.index("STOPPING=1") < said.index("EXTEND_TIMEOUT_USEC=20000000")
    finally:
        manager.socket.close()


async def test_signs_of_life_come_while_the_line_moves_and_stop_when_it_does_not(manager):
    stalled = [0.0]
    notices = notices_of(manager.socket.getsockname(), WATCHDOG_USEC="100000")
    notices.describe(str, lambda: stalled[0])
    notices.begin(lambda: None)
    try:
        await manager.until("WATCHDOG=1", times=3)
        stalled[0] = 0.1
        notices.ready()
        await manager.until("READY=1")  # what is on its way has come
        before = manager.read().count("WATCHDOG=1")
        for times in (2, 3, 4):
            notices.ready()
            await asyncio.sleep(0.1)  # two periods each: nothing must come
            await manager.until("READY=1", times)
        assert manager.read().count("WATCHDOG=1") == before
        stalled[0] = 0.0
        await manager.until("WATCHDOG=1", times=before + 1)
    finally:
        await notices.end()


async def test_the_status_line_is_sent_when_it_changes_and_only_then(manager):
    state = ["a"]
    notices = notices_of(manager.socket.getsockname(), WATCHDOG_USEC="100000")
    notices.describe(lambda: state[0], float)
    notices.begin(lambda: None)
    try:
        await manager.until("STATUS=a")
        await manager.until("WATCHDOG=1", times=3)
        state[0] = "b"
        await manager.until("STATUS=b")
        assert manager.read().count("STATUS=a") == 1
    finally:
        await notices.end()


async def test_a_reload_is_told_with_the_clock_that_systemd_asks_for(manager):
    notices = notices_of(manager.socket.getsockname())
    notices.reloading()
    notices.ready()
    said = manager.read()
    assert said[0] == "RELOADING=1"
    assert said[1].removeprefix("MONOTONIC_USEC=").isdecimal()
    assert said[2] == "READY=1"


def test_the_variables_are_taken_away_and_a_watchdog_of_another_process_is_none_of_ours():
    environ = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "1", "PATH": "/bin"}
    manager = take_service_manager(environ)
    assert manager is not None
    assert manager.watchdog_s is None
    assert environ == {"PATH": "/bin"}
    ours = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "5000000", "WATCHDOG_PID": str(os.getpid())}
    assert take_service_manager(ours).watchdog_s == 5.0


def test_a_socket_that_is_gone_is_said_once_and_hurts_nobody(tmp_path, caplog):
    notices = notices_of(str(tmp_path / "nobody"))
    notices.ready()
    notices.ready()
    assert caplog.text.count("systemd cannot be told") == 1


def test_nobody_above_means_nothing_is_sent():
    notices = Notices.from_environment({})
    notices.ready()
    notices.reloading()
    assert notices.place is None
