"""What the two isolated modes share: one run on one slot, its cancellation, and the watch over its memory."""

import asyncio
import logging
import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Final

from netscript_workers.domain.execution import Execution
from netscript_workers.domain.outcome import Cause, Outcome, failed
from netscript_workers.domain.target import Mode, Target
from netscript_workers.ports.observer import RunObserver
from netscript_workers.ports.runner import SlotReport
from netscript_workers.processes.memory import proportional_bytes
from netscript_workers.runners.fork_source import ForkSource
from netscript_workers.runners.memory_watch import MemoryWatch
from netscript_workers.runners.slot_process import SlotProcess

STOP_GRACE_MS: Final = 500
KILL_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)


class SlotRunner:
    """Runs attempts in slots from `source`. `max_memory_mb`: a run that takes its slot far over that is ended."""

    mode: Mode

    def __init__(self, source: ForkSource, *, max_memory_mb: int | None = None) -> None:
        self._source = source
        self._busy: set[SlotProcess] = set()
        self._watch = self._watch_over(max_memory_mb)

    async def start(self) -> None:
        """Have the process that slots are forked from; slots themselves are made when first needed."""
        await self._source.start(self)

    async def stop(self, grace_ms: int) -> None:
        """End the slots of this runner."""
        self._watch.stop()
        slots = self._slots()
        for slot in slots:
            slot.kill()
        if slots:
            await asyncio.wait([slot.gone for slot in slots], timeout=max(grace_ms / 1000, 0.1))
        await self._source.stop(self, grace_ms)

    def renew(self, source: ForkSource, *, max_memory_mb: int | None) -> list[SlotProcess]:
        """Make slots from `source`, which this runner has started, from now on.

        Returns the slots of the one before that run something; they end when that has ended. That source is then still to be
        stopped for this runner.
        """
        self._source = source
        self._watch.stop()
        self._watch = self._watch_over(max_memory_mb)
        for slot in self._give_up_idle():
            slot.kill()
        return list(self._busy)

    async def run(
        self, execution: Execution, target: Target, deadline: int, observer: RunObserver
    ) -> Outcome:
        """Run one attempt in a slot; see the port."""
        slot = await self._slot(self._take)
        return await self._outcome(slot, slot.begin(execution, target.max_attempts, deadline, observer))

    async def _slot(self, take: Callable[[], SlotProcess | None]) -> SlotProcess:
        """Take a slot for a run, once there is something to make one from."""
        slot = take()
        while slot is None:
            await self._source.ready()
            slot = take()
        self._busy.add(slot)
        self._watch.look()
        return slot

    async def _outcome(self, slot: SlotProcess, ended: "asyncio.Future[Outcome | None]") -> Outcome:
        """See a run that has begun, or waits in the hands of `slot`, to its end; lets `NotBegunError` out."""
        try:
            outcome = await asyncio.shield(ended)  # it is the slot's to end, whoever stops waiting for it
        except asyncio.CancelledError:
            if slot.withdraw(ended):
                raise
            if not ended.done():
                await self._end_run(slot, ended)
                raise
            if ended.exception() is not None:  # it had not begun
                raise
            outcome = ended.result()  # it had ended before it was to be stopped: what it reported counts
        finally:
            if slot.execution is None:
                self._busy.discard(slot)
        if slot.is_idle_after(ended):
            try:
                await self._let_go(slot, outcome)
            except asyncio.CancelledError:
                slot.kill()  # the run is over and its outcome stands; only its leftovers were still being ended
        return stopped_by_itself() if outcome is None else outcome

    def _watch_over(self, max_memory_mb: int | None) -> MemoryWatch:
        """Return the watch over the memory of the slots that are busy."""
        return MemoryWatch(max_memory_mb, self._busy)

    def slots(self) -> list[SlotReport]:
        """Tell what each slot is doing now."""
        return [self._report(slot) for slot in self._slots()]

    @abstractmethod
    def _take(self) -> SlotProcess | None:
        """Return a slot for the next run; None while there is nothing to make one from."""

    @abstractmethod
    def _give_up_idle(self) -> list[SlotProcess]:
        """Hand out the slots that run nothing; none of them is given a run any more."""

    @abstractmethod
    async def _after(self, slot: SlotProcess, outcome: Outcome | None) -> None:
        """Decide what becomes of a slot whose run has ended in time."""

    @abstractmethod
    def _slots(self) -> list[SlotProcess]:
        """Return all slots that live."""

    async def _end_run(self, slot: SlotProcess, ended: "asyncio.Future[Outcome | None]") -> None:
        """End a run under way: ask, wait a moment, kill. A second cancellation kills at once."""
        slot.cancel_run(ended)
        try:
            await asyncio.wait({ended}, timeout=STOP_GRACE_MS / 1000)
            if not ended.done():
                await self._kill(slot)
            elif slot.is_idle_after(ended):
                await self._let_go(slot, None)
        except asyncio.CancelledError:
            slot.kill()
            raise

    async def _let_go(self, slot: SlotProcess, outcome: Outcome | None) -> None:
        if not slot.retired:
            await self._after(slot, outcome)
        elif slot.children:
            await self._kill(slot)
        else:
            slot.kill()

    async def _kill(self, slot: SlotProcess) -> None:
        """End a slot with all its descendants, and wait until that is done."""
        slot.kill()
        await asyncio.wait({slot.gone}, timeout=KILL_SECONDS)
        if not slot.gone.done():
            _log.error("slot %d and what it started could not be ended within %g s", slot.pid, KILL_SECONDS)

    def _memory_of(self, pid: int) -> int | None:
        return proportional_bytes(pid)

    def _report(self, slot: SlotProcess) -> SlotReport:
        execution = slot.execution
        return SlotReport(
            mode=self.mode.value,
            pid=slot.pid,
            execution_id=execution.id if execution else None,
            target=execution.target if execution else None,
            busy_ms=round((time.monotonic() - slot.started_at) * 1000) if execution else 0,
            memory=self._memory_of(slot.pid) if slot.pid else None,
        )


def stopped_by_itself() -> Outcome:
    """Return the outcome of an async handler that cancelled its own task."""
    return failed("the handler cancelled its own task", Cause.EXCEPTION)
