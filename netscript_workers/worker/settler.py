"""Writes settlements in batches: while one batch is on its way to the engine the next one gathers.

A first settlement, and one behind which nothing waits to run, is written at once. While a backlog of short runs is worked off,
two batches begin at least `GATHER_MS` apart, since a write costs much the same for one as for a hundred.
"""

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

from netscript_workers.domain.settlement import Settlement
from netscript_workers.errors import EngineError
from netscript_workers.ports.history import History, JournalEntry
from netscript_workers.ports.queue import Claim, Queue
from netscript_workers.worker.faults import Faults, end
from netscript_workers.worker.journal import record
from netscript_workers.worker.outage import Outages

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BATCH: Final = 512
GATHER_MS: Final = 5.0
MAX_UNSETTLED: Final = 4 * MAX_BATCH

log = logging.getLogger("netscript_workers.worker")


class Settler:
    """Owns every settlement from the end of its attempt until the engine has it. A `Service`."""

    name = "settler"

    def __init__(self, queue: Queue, history: History, outages: Outages, faults: Faults) -> None:
        """Write to `queue`; last journal entries go to `history` first."""
        self._queue = queue
        self._history = history
        self._outages = outages
        self._faults = faults
        self._pending: list[Settlement] = []
        self._entries: list[JournalEntry] = []
        self._writing: list[Settlement] = []
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._giving_up = False
        self._begun = 0.0
        self.written: Callable[[], None] = _nothing  # set by the worker: told after each batch
        self.more_soon: Callable[[], bool] = (
            bool  # set by the worker: whether short runs wait for a slot right now
        )
        self._task: asyncio.Task[None] | None = None

    @property
    def unsettled(self) -> int:
        """How many settlements the engine does not have yet."""
        return len(self._pending) + len(self._writing)

    @property
    def is_behind(self) -> bool:
        """Whether so much waits to be written that nothing more should be claimed before some of it is."""
        return self.unsettled > MAX_UNSETTLED

    def claims(self) -> list[Claim]:
        """Return the claims that live on until their settlement is written."""
        return [Claim(one.execution_id, one.token) for one in (*self._writing, *self._pending)]

    def put(self, settlement: Settlement, entry: JournalEntry | None = None) -> None:
        """Take a settlement; never waits."""
        self._pending.append(settlement)
        if entry is not None:
            self._entries.append(entry)
        if not self._work.is_set():
            self._work.set()
            self._idle.clear()

    async def start(self) -> None:
        """Begin to write."""
        if self._task is None:
            self._task = self._faults.spawn(self._write(), self.name)

    async def stop(self, grace_ms: int) -> None:
        """Write what is left, for at most `grace_ms`; what the engine does not take then is named and left to its lease."""
        task, self._task = self._task, None
        if task is None:
            return
        try:
            await asyncio.wait_for(self._idle.wait(), grace_ms / 1000)
        except TimeoutError:
            left = self.unsettled
            log.error(  # noqa: TRY400 - the traceback of a timeout says nothing
                "%d settlements could not be written before the end; their executions run again when their leases expire",
                left,
            )
        self._giving_up = True
        await end(task)

    async def _write(self) -> None:
        while True:
            await self._work.wait()
            await self._gather()
            self._begun = time.perf_counter()
            batch, self._pending = self._pending[:MAX_BATCH], self._pending[MAX_BATCH:]
            entries, self._entries = self._entries, []
            self._writing = batch
            if entries:
                await record(self._history, entries, self._outages)
            applied = await self._settle(batch)
            self._writing = []
            self.written()
            for settlement, ok in zip(batch, applied, strict=True):
                if not ok:
                    log.warning(
                        "execution %s had been taken over by another worker; its %s here is not recorded",
                        settlement.execution_id,
                        settlement.action.value,
                    )
            if not self._pending:
                self._work.clear()
                self._idle.set()

    async def _gather(self) -> None:
        left = GATHER_MS / 1000 - (time.perf_counter() - self._begun)
        if left > 0 and len(self._pending) < MAX_BATCH and self.more_soon():
            await asyncio.sleep(left)

    async def _settle(self, batch: list[Settlement]) -> list[bool]:
        try:
            return await self._settle_or_split(batch)
        except EngineError as error:
            log.error(  # noqa: TRY400 - the message is whole
                "%d settlements are given up: %s; their executions run again when their leases expire",
                len(batch),
                error,
            )
            return [True] * len(batch)

    async def _settle_or_split(self, batch: list[Settlement]) -> list[bool]:
        try:
            return await self._outages.outlast(
                "settle executions", lambda: self._queue.settle_many(batch), give_up=lambda: self._giving_up
            )
        except EngineError:
            raise
        except Exception:
            # A fault of our own in one settlement must not hold up the others: find it, say it, leave it to its lease.
            if len(batch) == 1:
                log.exception("execution %s cannot be settled; please report this", batch[0].execution_id)
                return [True]
            return [ok for one in batch for ok in await self._settle_or_split([one])]


def _nothing() -> None:
    """Stand in for a worker that is not there."""
