"""The mode `subprocess`: a fresh process for each attempt, which ends with it, as does all it started."""

import logging
import os
from typing import Final

from netscript_workers.domain.outcome import Outcome
from netscript_workers.domain.target import RunnerMode
from netscript_workers.errors import SlotError
from netscript_workers.runners.fork_source import ForkSource
from netscript_workers.runners.slot_process import SlotProcess
from netscript_workers.runners.slot_runner import SlotRunner

# More processes cannot be forked ahead in the time that one run takes.
MAX_STANDBY: Final = os.cpu_count() or 1

_log = logging.getLogger(__name__)


class FreshProcessRunner(SlotRunner):
    """Gives each run a process that has run nothing before.

    Once there has been a run, the next process is forked ahead while one works, so that a run does not wait
    for its fork; there are never more of these than runs were under way at once, nor than processors.
    """

    mode = RunnerMode.SUBPROCESS

    def __init__(self, source: ForkSource, *, max_memory_mb: int | None = None) -> None:
        super().__init__(source, max_memory_mb=max_memory_mb)
        self._standby: list[SlotProcess] = []

    async def stop(self, grace_ms: int) -> None:
        """End the processes of this runner."""
        for slot in self._standby:
            slot.kill()
        self._standby.clear()
        await super().stop(grace_ms)

    def _take(self) -> SlotProcess | None:
        taken: SlotProcess | None = None
        while self._standby and (taken is None or not taken.alive):
            taken = self._standby.pop(0)
        if taken is None or not taken.alive:
            taken = self._source.fork(once=True)
        if len(self._standby) < min(len(self._busy) + 1, MAX_STANDBY):
            self._fork_ahead()
        return taken

    def _fork_ahead(self) -> None:
        try:
            ahead = self._source.fork(once=True)
        except (
            SlotError
        ) as error:  # the run that is to begin has its process; the next one may have more luck
            _log.warning("no process was forked ahead: %s", error)
            return
        if ahead is not None:
            self._standby.append(ahead)

    def _give_up_idle(self) -> list[SlotProcess]:
        standby, self._standby = self._standby, []
        return standby

    async def _after(self, slot: SlotProcess, outcome: Outcome | None) -> None:
        if slot.children:
            await self._kill(slot)
        # else nothing is below it, and it is already on its way out by itself

    def _slots(self) -> list[SlotProcess]:
        return list(self._busy)
