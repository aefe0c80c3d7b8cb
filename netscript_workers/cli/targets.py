"""`workers jobs` and `workers tasks`: what can be run."""

from pathlib import Path

import typer

from netscript_workers.cli import options, render
from netscript_workers.domain import wire
from netscript_workers.domain.permissions import Permissions
from netscript_workers.domain.target import Concept, Target


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command(
        "jobs", rich_help_panel=options.QUEUE, epilog=options.examples("workers jobs", "workers jobs --json")
    )(jobs)
    app.command(
        "tasks",
        rich_help_panel=options.QUEUE,
        epilog=options.examples("workers tasks", "workers tasks --json"),
    )(tasks)


def jobs(json: options.Json = False, config: options.Config = None) -> None:
    """List the jobs, every field resolved."""
    _print(Concept.JOB, json, config)


def tasks(json: options.Json = False, config: options.Config = None) -> None:
    """List the tasks, every field resolved."""
    _print(Concept.TASK, json, config)


def _print(concept: Concept, json: bool, config: Path | None) -> None:
    from netscript_workers import wiring
    from netscript_workers.wiring.project import told

    project = wiring.load_project(options.load_options(config))
    found = sorted(
        (each for each in project.catalog.targets.values() if each.concept is concept),
        key=lambda each: each.id,
    )
    for problem in project.catalog.problems:
        render.note(told(problem))
    if json:
        render.data_json([wire.definition(each) for each in found])
        return
    if not found:
        render.note(f"No {concept.value}s. Add one with: workers add {concept.value} NAME")
        return
    mode = "MODE" if concept is Concept.JOB else "TYPE"
    columns = ["ID", "TOPIC", mode, "TIMEOUT", "RETRIES", "SCHEDULE", "MAY REACH", "FILE"]
    render.table(columns, [_row(each) for each in found])


def _row(target: Target) -> list[str]:
    kind = target.runtime.value if target.type is None else str(target.type)
    return [
        target.id if target.enabled else f"{target.id} (disabled)",
        target.topic,
        kind,
        render.span(target.timeout),
        str(target.max_retries),
        target.schedule or "",
        _reach(target.permissions),
        _near(target.path),
    ]


def _reach(permissions: Permissions | None) -> str:
    """Tell which kinds of things are granted; each is in `--json`."""
    if permissions is None:
        return "everything"
    kinds = ("net", "read", "write", "env", "run", "ffi")
    return ", ".join(kind for kind in kinds if getattr(permissions, kind)) or "nothing"


def _near(path: str) -> str:
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path
