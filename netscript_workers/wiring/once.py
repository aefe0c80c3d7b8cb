"""One run, now, in the foreground, with no queue (`workers exec`)."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from netscript_workers.domain.execution import Execution, Status, TriggeredBy
from netscript_workers.domain.ids import IdFactory
from netscript_workers.domain.outcome import Outcome, cancelled, timed_out
from netscript_workers.domain.target import Target
from netscript_workers.errors import UnknownTargetError
from netscript_workers.ports.observer import RunObserver
from netscript_workers.wiring.confinement import settle_in_group
from netscript_workers.wiring.project import Project
from netscript_workers.wiring.worker import runners_for

STOP_GRACE_MS = 5_000


async def run_once(
    project: Project, target_id: str, payload: Mapping[str, Any], observer: RunObserver
) -> Outcome:
    """Run one attempt of `target_id` in its own runner mode and return how it ended.

    Reports go to `observer` as they come. Cancelling this call stops the run. Raises `UnknownTargetError`.
    """
    target = project.targets.get(target_id)
    if target is None:
        raise UnknownTargetError(unknown_target(target_id, project.catalog.nearest(target_id)))
    settle_in_group()
    runners = runners_for(project, target_id)
    runner = runners[target.mode]
    await runner.start()
    try:
        execution = execution_of(target, msgspec.json.encode(payload))
        deadline = execution.triggered_at + target.timeout
        run = asyncio.ensure_future(runner.run(execution, target, deadline, observer))
        return await run_bounded(run, target)
    finally:
        await runner.stop(STOP_GRACE_MS)


async def run_bounded(run: "asyncio.Future[Outcome]", target: Target) -> Outcome:
    """Wait for a run until its timeout, then stop it."""
    try:
        await asyncio.wait({run}, timeout=target.timeout / 1000)
    finally:
        late = not run.done()
        if late:
            run.cancel()
            await asyncio.wait({run}, timeout=STOP_GRACE_MS / 1000)
    if late:
        return timed_out(f"still running after its timeout of {target.timeout} ms; it was stopped")
    return cancelled("the run was cancelled") if run.cancelled() else run.result()


def unknown_target(target_id: str, nearest: Sequence[str]) -> str:
    """Say that no target has that id, with the nearest ones."""
    guess = f" Did you mean {', '.join(nearest)}?" if nearest else ""
    return f"no job or task has the id {target_id!r}.{guess} List them with: workers jobs, workers tasks"


def execution_of(target: Target, payload: bytes) -> Execution:
    """Make the execution of one run that no queue knows."""
    now = time.time_ns() // 1_000_000
    return Execution(
        id=IdFactory().new(now),
        concept=target.concept,
        target=target.id,
        topic=target.topic,
        status=Status.RUNNING,
        triggered_by=TriggeredBy.MANUAL,
        triggered_at=now,
        payload=payload,
        priority=target.priority,
        attempt=1,
        max_attempts=1,
        started_at=now,
        worker_id="exec",
    )
