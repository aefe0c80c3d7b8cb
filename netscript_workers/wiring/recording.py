"""One observed run of a task, the permissions that it proposes, and a second run that tries them."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from netscript_workers.domain.outcome import Kind, Outcome
from netscript_workers.domain.permissions import Permissions
from netscript_workers.domain.target import Concept, Target, TaskType
from netscript_workers.errors import UnknownTargetError, UsageError
from netscript_workers.ports.observer import RunObserver
from netscript_workers.wiring.confinement import hidden_files
from netscript_workers.wiring.once import STOP_GRACE_MS, execution_of, run_bounded, unknown_target
from netscript_workers.wiring.project import Project

if TYPE_CHECKING:
    from netscript_workers.ports.sandbox import Sandbox

_OF_DENO: Final = (
    "Deno tells itself what it needs, on every system; other programs are watched by Linux on x86-64 or ARM64"
)


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `guessed` are variables among `permissions.env` whose names merely stand in the program's text.

    `verified` is how a run with just these permissions ended; None when there was none.
    """

    target: Target
    permissions: Permissions
    guessed: tuple[str, ...]
    notes: tuple[str, ...]
    outcome: Outcome
    verified: Outcome | None = None


async def record(
    project: Project, target_id: str, payload: Mapping[str, Any], observer: RunObserver, *, verify: bool
) -> Recording:
    """Run a task once, watched and not confined, and propose its permissions; with `verify` run it again, held to them.

    A run that failed is not run again. Raises `UnknownTargetError`, and `UsageError` for what cannot be watched.
    """
    from netscript_workers.sandbox.kernel_sandbox import KernelSandbox, Strictness
    from netscript_workers.sandbox.recorder import Recorder
    from netscript_workers.wiring.programs import surroundings_of

    target = _watchable(project, target_id)
    hidden = hidden_files(project.settings)
    recorder = Recorder(hidden, tuple(surroundings_of(project).secrets))
    body = msgspec.json.encode(payload)
    try:
        # Without any flag Deno asks its broker; an older one that knows no broker denies, and is never let loose.
        outcome = await run_with(project, with_permissions(target, Permissions()), body, observer, recorder)
        proposal = recorder.proposal()
    finally:
        recorder.close()
    recording = Recording(
        target=target,
        permissions=proposal.permissions,
        guessed=proposal.guessed,
        notes=proposal.notes,
        outcome=outcome,
    )
    if not verify or outcome.kind is not Kind.SUCCEEDED:
        return recording
    held = with_permissions(target, proposal.permissions)
    sandbox = KernelSandbox(Strictness.REQUIRE, hidden)
    return msgspec.structs.replace(recording, verified=await run_with(project, held, body, observer, sandbox))


def with_permissions(target: Target, permissions: Permissions) -> Target:
    """Return `target` held to `permissions`."""
    return msgspec.structs.replace(target, permissions=permissions)


def _watchable(project: Project, target_id: str) -> Target:
    from netscript_workers.sandbox.numbers import this_machine

    target = project.targets.get(target_id)
    if target is None:
        raise UnknownTargetError(unknown_target(target_id, project.catalog.nearest(target_id)))
    if target.concept is not Concept.TASK:
        raise UsageError(
            f"“{target_id}” is a job; only tasks, which are programs of their own, can be recorded"
        )
    if target.type != TaskType.DENO and this_machine() is None:
        raise UsageError(f"“{target_id}” cannot be recorded on this system. {_OF_DENO}.")
    return target


async def run_with(
    project: Project, target: Target, payload: bytes, observer: RunObserver, sandbox: "Sandbox"
) -> Outcome:
    """Run a task once, through `sandbox`."""
    from netscript_workers.runners.program import ProgramRunner
    from netscript_workers.wiring.programs import task_commands

    runner = ProgramRunner(task_commands(project), sandbox=sandbox)
    await runner.start()
    try:
        execution = execution_of(target, payload)
        deadline = execution.triggered_at + target.timeout
        return await run_bounded(
            asyncio.ensure_future(runner.run(execution, target, deadline, observer)), target
        )
    finally:
        await runner.stop(STOP_GRACE_MS)
