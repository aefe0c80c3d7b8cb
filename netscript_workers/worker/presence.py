"""Says that this worker lives, so that `workers status` can show it."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from netscript_workers.errors import EngineError
from netscript_workers.ports.queue_admin import QueueAdmin, WorkerInfo
from netscript_workers.worker.faults import Faults, end
from netscript_workers.worker.outage import Outages

PERIOD_S: Final = 10.0
_GATHER_S: Final = 0.5  # many parts begin to fail at about the same moment, and recover so
_WHAT: Final = "announce this worker"

log = logging.getLogger("netscript_workers.worker")


class Presence:
    """Announces the worker every ten seconds, and when it becomes degraded or recovers. A `Service`.

    The announcement is taken back at the end.
    """

    name = "presence"

    def __init__(
        self, admin: QueueAdmin, describe: Callable[[], WorkerInfo], outages: Outages, faults: Faults
    ) -> None:
        """Announce what `describe` returns."""
        self._admin = admin
        self._describe = describe
        self._outages = outages
        self._faults = faults
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Announce, and go on announcing."""
        if self._task is None:
            await self._say()
            self._task = self._faults.spawn(self._announce(), self.name)

    async def _say(self) -> None:
        def announced() -> Awaitable[None]:
            degraded = self._outages.degraded_besides(_WHAT)
            return self._admin.announce(msgspec.structs.replace(self._describe(), degraded=degraded))

        await self._outages.outlast(_WHAT, announced)

    async def stop(self, grace_ms: int) -> None:
        """Take the announcement back; should the engine be away, it fades within a minute."""
        task, self._task = self._task, None
        if task is None:
            return
        await end(task, grace_ms)
        try:
            await asyncio.wait_for(self._admin.forget(self._describe().id), grace_ms / 1000)
        except (EngineError, TimeoutError) as error:
            log.warning("could not sign this worker off: %s; it disappears from `status` in a minute", error)

    async def _announce(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PERIOD_S):
                    await self._outages.changed.wait()
                    await asyncio.sleep(_GATHER_S)
            self._outages.changed.clear()
            await self._say()
