"""The runners of one worker process, with the sources of their slots, and their renewal at a reload."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Final

import msgspec

from netscript_workers.authoring.loading import HandlerRef, forget_modules
from netscript_workers.domain.target import ConfinedMode, Mode, ProgramMode, RunnerMode
from netscript_workers.ports.runner import Runner
from netscript_workers.ports.runtime import Commands
from netscript_workers.ports.sandbox import Confiner
from netscript_workers.runners.confined_process import ConfinedProcessRunner
from netscript_workers.runners.fork_source import ForkSource
from netscript_workers.runners.fresh_process import FreshProcessRunner
from netscript_workers.runners.granted import GrantedJobs, GrantedRunner, Sets
from netscript_workers.runners.handlers import Handlers
from netscript_workers.runners.in_process import InProcessRunner
from netscript_workers.runners.program import ProgramRunner
from netscript_workers.runners.slot_process import SlotProcess
from netscript_workers.runners.slot_runner import SlotRunner
from netscript_workers.runners.warm_slot import WarmSlotRunner

_END_MS: Final = 5_000
_LOOK_SECONDS: Final = 1.0


class FleetPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What runners are made from. `root` is the jobs directory.

    `commands` says how tasks are started, `sandbox` confines them. `has_tasks` false: there is none yet, so nothing is
    made ready for them before the first one. `granted` are the jobs with permissions, by what they may see of the environment:
    the slots of each such set come from a source of its own (see `GrantedRunner`).
    """

    modes: Collection[Mode]
    handlers: Sequence[HandlerRef]
    root: str
    max_jobs_per_slot: int | None = None
    max_slot_memory_mb: int | None = None
    commands: Commands | None = None
    sandbox: Confiner | None = None
    has_tasks: bool = True
    granted: Sequence[GrantedJobs] = ()


class Renewal(msgspec.Struct, frozen=True, kw_only=True):
    """Everything new, started and not yet in use: what `Fleet.renew` takes, or `Fleet.abandon`."""

    plan: FleetPlan
    source: ForkSource
    newcomers: dict[Mode, Runner]
    granted: Sets | None = None
    handlers: Handlers | None = None


class Fleet:
    """The runners by mode, as a `Service`. `runners` is one mapping for life, to which a renewal may add modes."""

    name = "runners"

    def __init__(self, plan: FleetPlan) -> None:
        """Make a runner for each mode of `plan`; none is started."""
        modules = plan.sandbox.modules if plan.sandbox is not None else ()
        holds_jobs = any(mode in plan.modes for mode in ConfinedMode)
        self._source = ForkSource(plan.handlers, plan.root, modules=modules if holds_jobs else ())
        self._sandbox = plan.sandbox
        self.runners: dict[Mode, Runner] = {}
        for mode in _ORDER:
            if mode in plan.modes:
                runner = _runner(mode, plan, self._source)
                if runner is not None:
                    self.runners[mode] = runner
        self._retiring: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Start every runner."""
        for runner in self.runners.values():
            await runner.start()

    async def stop(self, grace_ms: int) -> None:
        """Stop every runner, and what a renewal left to its end."""
        # Last started, first stopped; but slots of their own come last, since with them this process ceases to adopt orphans.
        for runner in sorted(self.runners.values(), key=lambda one: isinstance(one, _ADOPTING)):
            await runner.stop(grace_ms)
        retiring = set(self._retiring)
        if retiring:
            _, late = await asyncio.wait(retiring, timeout=grace_ms / 1000)
            for task in late:
                task.cancel()  # which ends the slots by force
            await asyncio.wait(retiring, timeout=2 * _END_MS / 1000)
        if self._sandbox is not None:
            await self._sandbox.stop()

    async def prepare(self, plan: FleetPlan) -> Renewal:
        """Make and start all that `plan` needs beside what is in use; nothing changes for runs before `renew`.

        Raises `SlotError` when the new process that slots are forked from does not come up.
        """
        source = self._source.successor(plan.handlers, plan.root)
        newcomers: dict[Mode, Runner] = {}
        renewal = Renewal(plan=plan, source=source, newcomers=newcomers)
        try:
            for runner in self.runners.values():
                if isinstance(runner, SlotRunner):
                    await source.start(runner)
            for mode in _ORDER:
                if mode in plan.modes and mode not in self.runners:
                    if mode is RunnerMode.IN_PROCESS:
                        forget_modules(plan.root)  # what the first scan imported may be of yesterday
                    runner = _runner(mode, plan, source, owns_sandbox=False)
                    if runner is not None:
                        await runner.start()
                        newcomers[mode] = runner
            confined = self.runners.get(ConfinedMode.CONFINED)
            if isinstance(confined, GrantedRunner) and plan.sandbox is not None:
                sets = await confined.prepare(plan.granted, _maker(plan, plan.sandbox, source))
                renewal = msgspec.structs.replace(renewal, granted=sets)
        except BaseException:
            await self.abandon(renewal)
            raise
        resident = self.runners.get(RunnerMode.IN_PROCESS)
        if not isinstance(resident, InProcessRunner):
            return renewal
        return msgspec.structs.replace(renewal, handlers=resident.import_anew(plan.handlers, plan.root))

    def renew(self, renewal: Renewal) -> None:
        """Run what begins from now on with what was prepared; what is under way ends on what it began with."""
        plan, old = renewal.plan, self._source
        users: list[SlotRunner] = []
        left = set(old.retire())
        for runner in self.runners.values():
            if isinstance(runner, SlotRunner):
                users.append(runner)
                left.update(runner.renew(renewal.source, max_memory_mb=plan.max_slot_memory_mb))
            if isinstance(runner, WarmSlotRunner):
                runner.recycle_after(max_jobs=plan.max_jobs_per_slot, max_memory_mb=plan.max_slot_memory_mb)
            elif isinstance(runner, ConfinedProcessRunner):
                runner.hold_in(plan.root)
            elif isinstance(runner, GrantedRunner) and renewal.granted is not None:
                runner.renew(renewal.granted)
            elif isinstance(runner, InProcessRunner) and renewal.handlers is not None:
                runner.renew(renewal.handlers)
            elif isinstance(runner, ProgramRunner) and plan.commands is not None:
                runner.renew(plan.commands)
        self.runners.update(renewal.newcomers)
        self._source = renewal.source
        for slot in left:
            slot.retired = True
        if users:
            task = asyncio.get_running_loop().create_task(
                _retire(old, users, left), name="end of the code before"
            )
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def abandon(self, renewal: Renewal) -> None:
        """End what was prepared and is not wanted after all."""
        for runner in renewal.newcomers.values():
            await runner.stop(_END_MS)
        for runner in self.runners.values():
            if isinstance(runner, SlotRunner):
                await renewal.source.stop(runner, _END_MS)
        if renewal.granted is not None:
            await renewal.granted.stop(_END_MS)


async def _retire(source: ForkSource, users: Sequence[SlotRunner], slots: set[SlotProcess]) -> None:
    """Wait for the last run on the code before a reload, and end the process that its slots came from.

    Bounded by the timeouts of these runs, and by the end of the daemon, which ends them.
    """
    try:
        while slots:
            await asyncio.wait({slot.gone for slot in slots}, timeout=_LOOK_SECONDS)
            slots = {slot for slot in slots if not slot.gone.done()}
            for slot in slots:
                if slot.execution is None:  # whoever let go of it did so before it was retired
                    slot.kill()
    finally:
        for runner in users:
            await source.stop(runner, _END_MS)


_ORDER: Final[tuple[Mode, ...]] = (*RunnerMode, *ConfinedMode, ProgramMode.PROGRAM)
_ADOPTING: Final = (SlotRunner, GrantedRunner)


def _runner(mode: Mode, plan: FleetPlan, source: ForkSource, *, owns_sandbox: bool = True) -> Runner | None:
    memory = plan.max_slot_memory_mb
    if mode is RunnerMode.IN_PROCESS:
        return InProcessRunner(plan.handlers, plan.root)
    if mode is RunnerMode.WEB_WORKER:
        return WarmSlotRunner(source, max_jobs=plan.max_jobs_per_slot, max_memory_mb=memory)
    if mode is RunnerMode.SUBPROCESS:
        return FreshProcessRunner(source, max_memory_mb=memory)
    if isinstance(mode, ConfinedMode):
        if plan.sandbox is None:
            return None
        if mode is ConfinedMode.CONFINED:
            make = _maker(plan, plan.sandbox, source)
            return GrantedRunner(plan.granted, make, plan.sandbox, owns_sandbox=owns_sandbox)
        return ConfinedProcessRunner(
            mode,
            source,
            plan.sandbox,
            root=plan.root,
            environment={},
            max_memory_mb=memory,
            owns_sandbox=owns_sandbox,
        )
    if plan.commands is None:
        return None
    return ProgramRunner(plan.commands, sandbox=plan.sandbox, ready=plan.has_tasks, owns_sandbox=owns_sandbox)


def _maker(plan: FleetPlan, sandbox: Confiner, beside: ForkSource) -> Callable[[GrantedJobs], Runner]:
    """Return what makes the runner of one set of jobs, over a source that shares nothing with `beside` but its adoption."""

    def make(jobs: GrantedJobs) -> Runner:
        return ConfinedProcessRunner(
            ConfinedMode.CONFINED,
            ForkSource(
                jobs.handlers,
                plan.root,
                environment=jobs.environment,
                modules=sandbox.modules,
                adoption=beside.adoption,
            ),
            sandbox,
            root=plan.root,
            environment=jobs.environment,
            max_memory_mb=plan.max_slot_memory_mb,
            owns_sandbox=False,
        )

    return make


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
    granted: Sequence[GrantedJobs] = (),
) -> dict[Mode, Runner]:
    """Return an unstarted runner for each of `modes`, for whoever never reloads; see `FleetPlan`."""
    plan = FleetPlan(
        modes=modes,
        handlers=handlers,
        root=root,
        max_jobs_per_slot=max_jobs_per_slot,
        max_slot_memory_mb=max_slot_memory_mb,
        commands=commands,
        sandbox=sandbox,
        has_tasks=has_tasks,
        granted=granted,
    )
    return Fleet(plan).runners
