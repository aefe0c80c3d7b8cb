"""`workers why`: why something does not run, or why it died."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from netscript_workers.cli import options, render, session
from netscript_workers.domain.execution import Execution, Status
from netscript_workers.errors import UnknownExecutionError

if TYPE_CHECKING:
    from netscript_workers.domain.why import Facts
    from netscript_workers.ports.engine import Engine
    from netscript_workers.wiring import Project

_RUNNING_READ = 1_000

_Subject = Annotated[
    str, typer.Argument(metavar="EXECUTION|TARGET", help="Id of an execution, or of a job or task.")
]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        "why",
        rich_help_panel=options.QUEUE,
        epilog=options.examples(
            "workers why 0199f3a2-8d1c-7a40-b0c1-5f2f5a1e9d77",
            "workers why hello",
            "workers why hello --json",
        ),
    )(explain)


def explain(subject: _Subject, json: options.Json = False, config: options.Config = None) -> None:
    """Say why an execution, or what is enqueued for a target, does not run; of a dead one, what killed it."""
    from netscript_workers import wiring
    from netscript_workers.domain.why import why

    project = wiring.load_project(options.load_options(config))
    facts = session.with_engine(project.settings, lambda engine: _facts(engine, project, subject))
    reasons = why(facts)
    status = facts.execution.status.value if facts.execution else None
    if json:
        found = [{"code": one.code, "message": one.message, "advice": one.advice} for one in reasons]
        render.data_json(
            {
                "subject": subject,
                "jobId": facts.target_id,
                "topic": facts.topic,
                "status": status,
                "reasons": found,
            }
        )
        return
    render.data(f"{subject}: {status or facts.topic}")
    for one in reasons:
        render.data(f"- {one.message}" + (f"\n  {one.advice}" if one.advice else ""))


async def _facts(engine: "Engine", project: "Project", subject: str) -> "Facts":
    from netscript_workers import config
    from netscript_workers.domain.why import Facts
    from netscript_workers.ports.history import HistoryQuery
    from netscript_workers.wiring.confinement import unenforceable

    execution = await _execution(engine, project, subject)
    target_id = execution.target if execution else subject
    target = project.targets.get(target_id)
    topic = execution.topic if execution else project.targets[subject].topic
    depths, workers = await engine.depths(), await engine.workers()
    # Running ones are among the newest or not at all: the engine has an index on neither pair, so a bound stands here.
    running = await engine.find(HistoryQuery(target=target_id, status=Status.RUNNING, limit=_RUNNING_READ))
    lanes = config.pool_for(project.loaded, project.settings, project.targets).lanes
    gaps = unenforceable(project.settings, {target_id: target}) if target is not None else ()
    return Facts(
        target_id=target_id,
        topic=topic,
        now=time.time_ns() // 1_000_000,
        target=target,
        depth=next((one for one in depths if one.topic == topic), None),
        workers=workers,
        lane=next((one for one in lanes if topic in one.topics), None),
        depths=depths,
        running=running,
        unenforceable=[problem.message for problem in gaps],
        execution=execution,
        attempts=await engine.attempts(execution.id) if execution else (),
    )


async def _execution(engine: "Engine", project: "Project", subject: str) -> Execution | None:
    if subject in project.targets:
        return None
    (found,) = await engine.get_many([subject])
    if found is None:
        near = ", ".join(project.catalog.nearest(subject))
        hint = f" The nearest targets are {near}." if near else ""
        raise UnknownExecutionError(f"no execution and no job or task has the id {subject}.{hint}")
    return found
