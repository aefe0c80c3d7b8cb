"""The sweeper: moves finished executions past their live age to the archive, and deletes what is past that too."""

import asyncio
import logging
from typing import Final

from netscript_workers.errors import EngineError
from netscript_workers.ports.history import History

PERIOD_S: Final = 60.0
BATCH: Final = 500
PAUSE_S: Final = 0.02

log = logging.getLogger("netscript_workers.retention")


class Sweeper:
    """Sweeps once a minute, in batches small enough that the line never waits long for one. A `Service`."""

    name = "retention"

    def __init__(self, history: History) -> None:
        """Sweep `history`."""
        self._history = history
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to sweep."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._sweep_for_ever(), name=self.name)

    async def stop(self, grace_ms: int) -> None:
        """End after the batch under way."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task}, timeout=max(grace_ms / 1000, 0.1))

    async def _sweep_for_ever(self) -> None:
        while True:
            try:
                await sweep_all(self._history)
            except EngineError as error:
                log.warning("could not sweep old executions: %s; trying again in %.0f s", error, PERIOD_S)
            except Exception:
                # A fault in one sweep must not end all sweeps: the store would grow for ever without a word.
                log.exception("a sweep broke; please report this. Trying again in %.0f s", PERIOD_S)
            await asyncio.sleep(PERIOD_S)


async def sweep_all(history: History) -> tuple[int, int]:
    """Sweep batch by batch until nothing is left to do; returns how many were archived and deleted."""
    archived = deleted = 0
    while True:
        swept = await history.sweep(BATCH)
        if not swept.archived and not swept.deleted:
            break
        archived += swept.archived
        deleted += swept.deleted
        await asyncio.sleep(PAUSE_S)  # let claims and settlements pass between two batches
    if archived or deleted:
        log.info("retention: archived %d executions, deleted %d", archived, deleted)
    return archived, deleted
