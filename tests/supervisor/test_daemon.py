"""The daemon's life: it listens to signals from its first step to its last."""

import asyncio
import logging
import os
import signal

import pytest

from netscript_workers.engines.memory import MemoryEngine
from netscript_workers.errors import EngineFormatError, EngineUnavailableError
from netscript_workers.supervisor.daemon import Daemon, DaemonParts

PATIENCE_S = 20.0


class Part:
    """A service that notes what is asked of it; `hang` makes its start one without end."""

    def __init__(self, name: str, told: list[str], *, hang: bool = False) -> None:
        self.name = name
        self._told = told
        self._hang = hang

    async def start(self) -> None:
        self._told.append(f"start {self.name}")
        if self._hang:
            await asyncio.Event().wait()

    async def stop(self, grace_ms: int) -> None:
        self._told.append(f"stop {self.name}")

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    async def interrupt(self) -> None: ...


async def never() -> BaseException:
    await asyncio.Event().wait()
    raise AssertionError


async def reached(_within_ms: int) -> None: ...


def daemon(told: list[str], *, hang: bool = False, reach=reached, connect_timeout: int = 1_000) -> Daemon:
    return Daemon(
        DaemonParts(
            engine=MemoryEngine(),
            reach=reach,
            line=Part("line", told),
            services=[Part("first", told), Part("second", told, hang=hang)],
            slots=list,
            fault=never,
            drained=None,
            connect_timeout=connect_timeout,
            shutdown_timeout=1_000,
            greeting="up",
        )
    )


async def until(told: list[str], word: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while word not in told:
            await asyncio.sleep(0.005)


async def test_sigterm_ends_a_daemon_whose_part_never_finishes_starting():
    told: list[str] = []
    running = asyncio.create_task(daemon(told, hang=True).run())
    await until(told, "start second")
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(running, PATIENCE_S) == 0
    assert told == ["start first", "start second", "stop first"]


async def test_parts_start_in_order_before_the_line_and_stop_in_reverse_after_it():
    told: list[str] = []
    running = asyncio.create_task(daemon(told, hang=False).run())
    await until(told, "start line")
    os.kill(os.getpid(), signal.SIGINT)
    assert await asyncio.wait_for(running, PATIENCE_S) == 0
    assert told == ["start first", "start second", "start line", "stop line", "stop second", "stop first"]


class Reaching:
    """A `reach` that fails so often, or hangs."""

    def __init__(self, failures: int, *, hang: bool = False) -> None:
        self.tries = 0
        self._failures = failures
        self._hang = hang

    async def __call__(self, within_ms: int) -> None:
        self.tries += 1
        if self._hang:
            await asyncio.Event().wait()
        if self.tries <= self._failures:
            raise EngineUnavailableError("the server is away.")


async def test_a_starting_daemon_tries_again_until_the_engine_is_reached_and_says_so(caplog):
    caplog.set_level(logging.INFO)
    told: list[str] = []
    reaching = Reaching(failures=2)
    running = asyncio.create_task(daemon(told, reach=reaching, connect_timeout=60_000).run())
    await until(told, "start line")
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(running, PATIENCE_S) == 0
    assert reaching.tries == 3
    assert caplog.text.count("cannot reach the queue yet: the server is away. Trying again") == 2
    assert "reached the queue after" in caplog.text


async def test_a_daemon_gives_up_after_connect_timeout(caplog):
    reaching = Reaching(failures=1_000)
    with pytest.raises(EngineUnavailableError, match="the server is away"):
        await asyncio.wait_for(daemon([], reach=reaching, connect_timeout=300).run(), PATIENCE_S)
    assert reaching.tries >= 2
    assert "gave up reaching the queue" in caplog.text


async def test_a_file_of_another_layout_ends_a_daemon_at_once():
    async def refuse(_within_ms: int) -> None:
        raise EngineFormatError("a newer layout")

    with pytest.raises(EngineFormatError):
        await asyncio.wait_for(daemon([], reach=refuse, connect_timeout=600_000).run(), PATIENCE_S)


async def test_sigterm_ends_a_daemon_that_is_reaching_for_its_server():
    for reaching in (Reaching(failures=1_000), Reaching(failures=0, hang=True)):
        running = asyncio.create_task(daemon([], reach=reaching, connect_timeout=600_000).run())
        async with asyncio.timeout(PATIENCE_S):
            while not reaching.tries:
                await asyncio.sleep(0.005)
        os.kill(os.getpid(), signal.SIGTERM)
        assert await asyncio.wait_for(running, PATIENCE_S) == 0
