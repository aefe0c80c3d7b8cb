"""Ends runs that take far more memory than a slot may hold."""

import asyncio
from collections.abc import Callable, Collection
from typing import Final

from netscript_workers.processes.memory import proportional_bytes, resident_bytes
from netscript_workers.processes.tree import descendants_of
from netscript_workers.runners.slot_process import SlotProcess

LOOK_SECONDS: Final = 0.1
FAR_OVER: Final = 2
MIB: Final = 1024 * 1024


class MemoryWatch:
    """Looks at the busy slots ten times a second while there are any.

    `limit_mb` is what a slot may hold between runs; a run may go above it for a while, but one that holds
    twice as much is ended. Measured is the memory that the slot does not share with others. Without a limit
    nothing is looked at. `families`: what descends from a slot's process counts too, since the run itself is there.
    """

    def __init__(
        self, limit_mb: int | None, busy: Collection[SlotProcess], *, families: bool = False
    ) -> None:
        self._families = families
        self._limit = limit_mb * MIB if limit_mb is not None else None
        self._busy = busy
        self._timer: asyncio.TimerHandle | None = None

    def look(self) -> None:
        """Begin to look, since a run has started."""
        if self._limit is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def is_above(self, slot: SlotProcess, peak: int | None) -> bool:
        """Tell whether a slot holds more than it may between runs; `peak` is its last run's, which nearly always answers."""
        if self._limit is None or (peak is not None and peak <= self._limit):
            return False
        return self._held(slot, proportional_bytes) > self._limit

    def _look(self) -> None:
        self._timer = None
        if not self._busy or self._limit is None:
            return
        far_over = self._limit * FAR_OVER
        for slot in self._busy:
            # Shared pages count here, so it is not the verdict.
            if slot.pid and self._held(slot, resident_bytes) > far_over:
                held = self._held(slot, proportional_bytes)
                if held > far_over:
                    slot.kill(
                        f"out of memory: the slot held {held // MIB} MiB, more than {FAR_OVER} times max_slot_memory_mb "
                        f"({self._limit // MIB}), and was ended"
                    )
        self.look()

    def _held(self, slot: SlotProcess, measure: Callable[[int], int | None]) -> int:
        below = descendants_of(slot.pid) if self._families else ()
        return sum(measure(pid) or 0 for pid in (slot.pid, *below))
