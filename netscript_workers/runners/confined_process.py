"""The modes `confined` and `limited`: a fresh process for each attempt, held by the kernel to what its job may do."""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from msgspec import structs

from netscript_workers.domain.command import Confinement
from netscript_workers.domain.execution import Execution, LogLine, Progress
from netscript_workers.domain.outcome import Cause, Kind, Outcome, failed
from netscript_workers.domain.target import ConfinedMode, Target
from netscript_workers.errors import PermissionsUnenforceableError
from netscript_workers.ports.observer import RunObserver
from netscript_workers.ports.sandbox import Confined, JobSandbox
from netscript_workers.processes.memory import family_bytes
from netscript_workers.runners.fork_source import ForkSource
from netscript_workers.runners.fresh_process import FreshProcessRunner
from netscript_workers.runners.limit_words import with_limit_told, with_reached_told
from netscript_workers.runners.memory_watch import MemoryWatch
from netscript_workers.runners.slot_process import SlotProcess

_ERRORS_KEPT: Final = 100


class ConfinedProcessRunner(FreshProcessRunner):
    """Gives each run a process of its own that is confined before it looks for its run; none is forked ahead.

    `root` is the jobs directory, `environment` what `source` starts its slots with. With `owns_sandbox` its end is the end of
    `sandbox`, too.
    """

    def __init__(
        self,
        mode: ConfinedMode,
        source: ForkSource,
        sandbox: JobSandbox,
        *,
        root: str,
        environment: Mapping[str, str],
        max_memory_mb: int | None = None,
        owns_sandbox: bool = True,
    ) -> None:
        super().__init__(source, max_memory_mb=max_memory_mb)
        self.mode = mode
        self._owns_sandbox = owns_sandbox
        self._sandbox = sandbox
        self._root = root
        self._environment = environment

    def _watch_over(self, max_memory_mb: int | None) -> MemoryWatch:
        return MemoryWatch(max_memory_mb, self._busy, families=True)

    def _memory_of(self, pid: int) -> int | None:
        return family_bytes(pid)

    def hold_in(self, root: str) -> None:
        """Confine what begins from now on over another jobs directory."""
        self._root = root

    async def stop(self, grace_ms: int) -> None:
        """End the processes of this runner, and what served their ways out."""
        await super().stop(grace_ms)
        if self._owns_sandbox:
            await self._sandbox.stop()

    async def run(
        self, execution: Execution, target: Target, deadline: int, observer: RunObserver
    ) -> Outcome:
        """Run one attempt in a confined process; see the port."""
        try:
            confined = await self._sandbox.confine_job(target, self._root, self._environment)
        except PermissionsUnenforceableError as error:
            return failed(str(error), Cause.PERMISSION_DENIED, retry=False)
        try:
            if confined.not_enforced:
                now = time.time_ns() // 1_000_000
                gaps = [f"not enforced: {gap}" for gap in confined.not_enforced]
                observer.lines([LogLine(now, "log", "warning", gap) for gap in gaps])
            slot = await self._slot(partial(self._fork, confined.spec.confinement))
            if target.limits.output is not None:
                slot.limit_output(target.limits.output)
            errors = _ErrorTail(observer)
            outcome = await self._outcome(slot, slot.begin(execution, target.max_attempts, deadline, errors))
            if slot.wrote_too_much:
                words = f"the job wrote more than its limits.output of {target.limits.output} bytes"
                return failed(words, usage=outcome.usage)
            return _explained(outcome, target, confined, errors.last)
        finally:
            await confined.close()

    def _fork(self, confinement: Confinement | None) -> SlotProcess | None:
        return self._source.fork(once=True, confinement=confinement)  # whichever it is by now


class _ErrorTail:
    """Hands on what a run reports, and keeps the last lines of its standard error, where denials are told."""

    def __init__(self, observer: RunObserver) -> None:
        self._observer = observer
        self.last: deque[str] = deque(maxlen=_ERRORS_KEPT)

    def progress(self, progress: Progress) -> None:
        """Hand on the progress."""
        self._observer.progress(progress)

    def lines(self, lines: Sequence[LogLine]) -> None:
        """Hand on the lines."""
        self.last.extend(line.line for line in lines if line.stream == "stderr")
        self._observer.lines(lines)


def _explained(outcome: Outcome, target: Target, confined: Confined, errors: Sequence[str]) -> Outcome:
    """Say of a run that failed what it was denied, or which limit may have ended it."""
    if outcome.kind not in (Kind.FAILED, Kind.CRASHED) or outcome.cause is Cause.PERMISSION_DENIED:
        return outcome  # in the second case it could not be confined, so that nothing has run
    reached = with_reached_told(outcome, confined.reached)
    told = reached.error or ""
    denied = confined.denied([*errors, *told.splitlines()])
    if denied is not None:
        cause = Cause.PERMISSION_DENIED if outcome.kind is Kind.FAILED else outcome.cause
        return structs.replace(outcome, cause=cause, error=f"{denied} ({told})")
    return reached if reached is not outcome else with_limit_told(outcome, target.limits, errors)
