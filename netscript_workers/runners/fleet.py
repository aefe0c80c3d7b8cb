"""The runners of one worker process, with one source of slots among those that need it."""

from collections.abc import Collection, Sequence

from netscript_workers.authoring.loading import HandlerRef
from netscript_workers.domain.target import Mode, ProgramMode, RunnerMode
from netscript_workers.ports.runner import Runner
from netscript_workers.ports.runtime import Commands
from netscript_workers.ports.sandbox import Sandbox
from netscript_workers.runners.fork_source import ForkSource
from netscript_workers.runners.fresh_process import FreshProcessRunner
from netscript_workers.runners.in_process import InProcessRunner
from netscript_workers.runners.program import ProgramRunner
from netscript_workers.runners.warm_slot import WarmSlotRunner


def build_runners(
    *,
    modes: Collection[Mode],
    handlers: Sequence[HandlerRef],
    root: str,
    max_jobs_per_slot: int | None = None,
    max_slot_memory_mb: int | None = None,
    commands: Commands | None = None,
    sandbox: Sandbox | None = None,
    has_tasks: bool = True,
) -> dict[Mode, Runner]:
    """Return an unstarted runner for each of `modes`; `root` is the jobs directory.

    `commands` says how tasks are started, `sandbox` confines them. `has_tasks` false: there is none yet, so nothing is
    made ready for them before the first one.
    """
    source = ForkSource(handlers, root)
    runners: dict[Mode, Runner] = {}
    if RunnerMode.IN_PROCESS in modes:
        runners[RunnerMode.IN_PROCESS] = InProcessRunner(handlers, root)
    if RunnerMode.WEB_WORKER in modes:
        runners[RunnerMode.WEB_WORKER] = WarmSlotRunner(
            source, max_jobs=max_jobs_per_slot, max_memory_mb=max_slot_memory_mb
        )
    if RunnerMode.SUBPROCESS in modes:
        runners[RunnerMode.SUBPROCESS] = FreshProcessRunner(source, max_memory_mb=max_slot_memory_mb)
    if ProgramMode.PROGRAM in modes and commands is not None:
        runners[ProgramMode.PROGRAM] = ProgramRunner(commands, sandbox=sandbox, ready=has_tasks)
    return runners
