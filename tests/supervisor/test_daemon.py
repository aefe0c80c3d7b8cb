"""The daemon's life: it listens to signals from its first step to its last."""

import asyncio
import os
import signal

from netscript_workers.engines.memory import MemoryEngine
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


def daemon(told: list[str], *, hang: bool) -> Daemon:
    return Daemon(
        DaemonParts(
            engine=MemoryEngine(),
            line=Part("line", told),
            services=[Part("first", told), Part("second", told, hang=hang)],
            slots=list,
            fault=never,
            drained=None,
            connect_timeout=1_000,
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
