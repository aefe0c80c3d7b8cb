"""The mode `subprocess`: a fresh process for each attempt, which ends with it, as does all it started."""

from netscript_workers.domain.outcome import Outcome
from netscript_workers.domain.target import RunnerMode
from netscript_workers.runners.fork_source import ForkSource
from netscript_workers.runners.slot_process import SlotProcess
from netscript_workers.runners.slot_runner import SlotRunner


class FreshProcessRunner(SlotRunner):
    """Forks a process for each run."""

    mode = RunnerMode.SUBPROCESS

    def __init__(self, source: ForkSource, *, max_memory_mb: int | None = None) -> None:
        super().__init__(source, max_memory_mb=max_memory_mb)

    def _take(self) -> SlotProcess | None:
        return self._source.fork(once=True)

    async def _after(self, slot: SlotProcess, outcome: Outcome | None) -> None:
        if slot.children:
            await self._kill(slot)
        # else nothing is below it, and it is already on its way out by itself

    def _slots(self) -> list[SlotProcess]:
        return list(self._busy)
