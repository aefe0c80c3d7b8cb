"""Writes progress and log lines of running attempts, in batches, on their way."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from netscript_workers.ports.history import History, JournalEntry
from netscript_workers.worker.attempt import Attempt
from netscript_workers.worker.faults import Faults, end
from netscript_workers.worker.outage import Outages

FLUSH_PERIOD_S: Final = 0.05

log = logging.getLogger("netscript_workers.worker")


class Journal:
    """Collects attempts that have something to say and writes it, at most every 50 ms. A `Service`."""

    name = "journal"

    def __init__(self, history: History, outages: Outages, faults: Faults) -> None:
        """Write to `history`."""
        self._history = history
        self._outages = outages
        self._faults = faults
        self._speaking: list[Attempt] = []
        self._work = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def report(self, attempt: Attempt) -> None:
        """Note that `attempt` has lines or progress to write; never waits."""
        self._speaking.append(attempt)
        self._work.set()

    async def start(self) -> None:
        """Begin to write."""
        if self._task is None:
            self._task = self._faults.spawn(self._write(), self.name)

    async def stop(self, grace_ms: int) -> None:
        """End; what an attempt has not written by now travels with its settlement."""
        task, self._task = self._task, None
        await end(task, grace_ms)

    async def _write(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            speaking, self._speaking = self._speaking, []
            entries = [entry for attempt in speaking if (entry := attempt.take_entry()) is not None]
            if entries:
                await record(self._history, entries, self._outages)
            await asyncio.sleep(FLUSH_PERIOD_S)


async def record(history: History, entries: Sequence[JournalEntry], outages: Outages) -> None:
    """Write what runs reported, outlasting an outage; a report that cannot be written costs the report, not the worker."""
    try:
        await outages.outlast("record progress and log lines", lambda: history.record_many(entries))
    except Exception:
        log.exception("the reports of %d runs could not be recorded; please report this", len(entries))
