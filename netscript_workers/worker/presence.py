"""Says that this worker lives, so that `workers status` can show it."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from netscript_workers.errors import EngineError
from netscript_workers.ports.queue_admin import QueueAdmin, WorkerInfo
from netscript_workers.worker.faults import Faults, end
from netscript_workers.worker.outage import Outages

PERIOD_S: Final = 10.0

log = logging.getLogger("netscript_workers.worker")


class Presence:
    """Announces the worker every ten seconds and takes the announcement back at the end. A `Service`."""

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
            await self._outages.outlast(
                "announce this worker", lambda: self._admin.announce(self._describe())
            )
            self._task = self._faults.spawn(self._announce(), self.name)

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
            await asyncio.sleep(PERIOD_S)
            await self._outages.outlast(
                "announce this worker", lambda: self._admin.announce(self._describe())
            )
