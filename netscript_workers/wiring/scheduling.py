"""The scheduler and what it needs around it, and the daemon that does nothing else."""

import os
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from netscript_workers.domain.execution import Enqueued
from netscript_workers.domain.target import Target
from netscript_workers.ports.queue_admin import WorkerInfo
from netscript_workers.ports.schedules import Standing, TickBook
from netscript_workers.scheduler.service import Scheduler
from netscript_workers.supervisor.link import Place
from netscript_workers.worker.faults import Faults
from netscript_workers.worker.outage import Outages

if TYPE_CHECKING:
    import asyncio


_STANDING, _ENQUEUE = SCHEDULING = ("read how far the schedules are", "enqueue what is scheduled")


class Around:
    """What a scheduler needs of the daemon: its faults end that, and while the engine is away it waits as the worker does."""

    def __init__(self, outages: Outages, faults: Faults) -> None:
        """Use what the other parts of the daemon use."""
        self._outages = outages
        self._faults = faults

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        """Run `work` as a task whose fault ends the daemon."""
        return self._faults.spawn(work, name)

    async def standing(self, call: Callable[[], Awaitable[Standing]]) -> Standing:
        """Await `call()` until the engine answers."""
        return await self._outages.outlast(_STANDING, call)

    async def enqueued(
        self, call: Callable[[], Awaitable[list[Enqueued | None]]], give_up: Callable[[], bool]
    ) -> list[Enqueued | None]:
        """Await `call()` until the engine answers, or fails when `give_up` says so."""
        return await self._outages.outlast(_ENQUEUE, call, give_up=give_up)

    async def forgotten(self, call: Callable[[], Awaitable[None]]) -> None:
        """Await `call()` until the engine has done it."""
        await self._outages.outlast("forget schedules that were taken away", call)


def scheduler_over(
    book: TickBook, targets: Mapping[str, Target], outages: Outages, faults: Faults
) -> Scheduler:
    """Return the scheduler of `targets`; it follows them when it is told that they have changed."""
    return Scheduler(book, targets, Around(outages, faults))


def state_of_scheduler(scheduler: Scheduler, outages: Outages) -> str:
    """Write the status line of a scheduler on its own."""
    done = f"{scheduler.schedules} schedules, {scheduler.enqueued} ticks enqueued, the last {scheduler.last_lag_ms} ms late"
    return done if outages.degraded is None else f"{done}; degraded: {outages.degraded}"


def describe_scheduler(name: str, started_at: int, outages: Outages, place: Place | None) -> WorkerInfo:
    """Say what the announcement of a scheduler on its own says now; `place` is its place in the tree of a supervisor."""
    return WorkerInfo(
        id=name,
        host=socket.gethostname(),
        pid=os.getpid(),
        role="scheduler",
        topics=(),
        slots_total=0,
        slots_busy=0,
        started_at=started_at,
        last_seen_at=time.time_ns() // 1_000_000,
        degraded=outages.degraded,
        supervisor=place.supervisor if place is not None else None,
        restarts=place.restarts if place is not None else 0,
    )
