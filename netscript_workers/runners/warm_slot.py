"""The mode `web-worker`: warm slots, isolated processes that are kept between runs."""

from typing import Final

from netscript_workers.domain.outcome import Outcome
from netscript_workers.domain.target import RunnerMode
from netscript_workers.runners.fork_source import ForkSource
from netscript_workers.runners.slot_process import SlotProcess
from netscript_workers.runners.slot_runner import SlotRunner

MAX_CHILDREN: Final = 64  # left behind by runs; beyond that a slot is replaced, since they end with it alone


class WarmSlotRunner(SlotRunner):
    """Makes a slot when a run finds none idle, so there are at most as many as runs were asked for at once.

    A slot is replaced after `max_jobs` runs, when it holds more than `max_memory_mb` after a run, when it
    crashed and when a run had to be ended by force. Processes that a run left behind end with the slot.
    """

    mode = RunnerMode.WEB_WORKER

    def __init__(
        self, source: ForkSource, *, max_jobs: int | None = None, max_memory_mb: int | None = None
    ) -> None:
        super().__init__(source, max_memory_mb=max_memory_mb)
        self._max_jobs = max_jobs
        self._idle: list[SlotProcess] = []

    def _take(self) -> SlotProcess | None:
        while self._idle:
            slot = self._idle.pop()  # the one used last: its memory is in the caches
            if slot.alive:
                return slot
        return self._source.fork(once=False)

    async def _after(self, slot: SlotProcess, outcome: Outcome | None) -> None:
        if not slot.alive:
            return
        usage = outcome.usage if outcome else None
        is_worn = self._max_jobs is not None and slot.runs >= self._max_jobs
        if (
            is_worn
            or slot.children > MAX_CHILDREN
            or self._watch.is_above(slot, usage.peak_memory if usage else None)
        ):
            slot.kill()
        else:
            self._idle.append(slot)

    def _slots(self) -> list[SlotProcess]:
        self._idle = [slot for slot in self._idle if slot.alive]
        return [*self._busy, *self._idle]
