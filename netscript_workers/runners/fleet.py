"""The runners of one worker process, with one source of slots among those that need it."""

from collections.abc import Collection, Mapping, Sequence

from netscript_workers.authoring.loading import HandlerRef
from netscript_workers.domain.target import ConfinedMode, Mode, ProgramMode, RunnerMode
from netscript_workers.ports.runner import Runner
from netscript_workers.ports.runtime import Commands
from netscript_workers.ports.sandbox import Confiner
from netscript_workers.runners.confined_process import ConfinedProcessRunner
from netscript_workers.runners.fork_source import ForkSource
from netscript_workers.runners.fresh_process import FreshProcessRunner
from netscript_workers.runners.in_process import InProcessRunner
from netscript_workers.runners.program import ProgramRunner
from netscript_workers.runners.warm_slot import WarmSlotRunner


def build_runners(  # noqa: PLR0913 - named, and each of them a part of the fleet
    *,
    modes: Collection[Mode],
    handlers: Sequence[HandlerRef],
    root: str,
    max_jobs_per_slot: int | None = None,
    max_slot_memory_mb: int | None = None,
    commands: Commands | None = None,
    sandbox: Confiner | None = None,
    has_tasks: bool = True,
    confined_handlers: Sequence[HandlerRef] = (),
    confined_environment: Mapping[str, str] | None = None,
) -> dict[Mode, Runner]:
    """Return an unstarted runner for each of `modes`; `root` is the jobs directory.

    `commands` says how tasks are started, `sandbox` confines them. `has_tasks` false: there is none yet, so nothing is
    made ready for them before the first one. `confined_handlers` are those of jobs with permissions: their slots come from a
    source of their own, started with `confined_environment` and with nothing else loaded, so that no secret is in its memory.
    """
    limited = sandbox is not None and ConfinedMode.LIMITED in modes
    source = ForkSource(handlers, root, modules=sandbox.modules if sandbox is not None and limited else ())
    runners: dict[Mode, Runner] = {}
    if RunnerMode.IN_PROCESS in modes:
        runners[RunnerMode.IN_PROCESS] = InProcessRunner(handlers, root)
    if RunnerMode.WEB_WORKER in modes:
        runners[RunnerMode.WEB_WORKER] = WarmSlotRunner(
            source, max_jobs=max_jobs_per_slot, max_memory_mb=max_slot_memory_mb
        )
    if RunnerMode.SUBPROCESS in modes:
        runners[RunnerMode.SUBPROCESS] = FreshProcessRunner(source, max_memory_mb=max_slot_memory_mb)
    if sandbox is not None and limited:
        runners[ConfinedMode.LIMITED] = ConfinedProcessRunner(
            ConfinedMode.LIMITED,
            source,
            sandbox,
            root=root,
            environment={},
            max_memory_mb=max_slot_memory_mb,
        )
    if sandbox is not None and ConfinedMode.CONFINED in modes:
        environment: Mapping[str, str] = confined_environment or {}
        runners[ConfinedMode.CONFINED] = ConfinedProcessRunner(
            ConfinedMode.CONFINED,
            ForkSource(confined_handlers, root, environment=environment, modules=sandbox.modules),
            sandbox,
            root=root,
            environment=environment,
            max_memory_mb=max_slot_memory_mb,
        )
    if ProgramMode.PROGRAM in modes and commands is not None:
        runners[ProgramMode.PROGRAM] = ProgramRunner(commands, sandbox=sandbox, ready=has_tasks)
    return runners
