"""`workers schedule`: when what has a schedule runs next."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netscript_workers.cli import options, render

if TYPE_CHECKING:
    from netscript_workers.domain.coming import ComingTick
    from netscript_workers.domain.target import Target


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        "schedule",
        rich_help_panel=options.QUEUE,
        epilog=options.examples(
            "workers schedule", "workers schedule nightly-report --next 10", "workers schedule --json"
        ),
    )(schedule)


def schedule(
    target: Annotated[
        list[str] | None, typer.Argument(help="Only these jobs and tasks.", show_default=False)
    ] = None,
    next_: Annotated[
        int, typer.Option("--next", min=1, max=1_000, help="How many coming ticks of each.")
    ] = 3,
    json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Show when jobs and tasks with a schedule run next, in their own timezones, and what is odd about it.

    Odd are changes of the clocks (a time that is jumped over, or shown twice), and a run that may go on when the next is due.
    """
    from netscript_workers import wiring
    from netscript_workers.domain.coming import coming_ticks
    from netscript_workers.errors import UnknownTargetError
    from netscript_workers.wiring.once import unknown_target

    project = wiring.load_project(options.load_options(config))
    for name in target or ():
        if name not in project.targets:
            raise UnknownTargetError(unknown_target(name, project.catalog.nearest(name)))
    chosen = [
        each
        for each in project.targets.values()
        if each.schedule is not None and (not target or each.id in target)
    ]
    now = time.time_ns() // 1_000_000
    found = [
        (each, coming_ticks(each, now, next_) if each.enabled else [])
        for each in sorted(chosen, key=lambda each: each.id)
    ]
    if json:
        render.data_json([_shape(each, ticks) for each, ticks in found])
    elif not found:
        render.note("Nothing has a schedule. Give a job or task one: schedule = “0 3 * * *”")
    else:
        rows = [row for each, ticks in found for row in _rows(each, ticks, now)]
        render.table(["TARGET", "SCHEDULE", "TIMEZONE", "NEXT", "IN", "NOTE"], rows)


def _rows(target: "Target", ticks: "list[ComingTick]", now: int) -> list[list[str]]:
    who = [target.id, target.schedule or "", target.timezone]
    if not ticks:
        return [[*who, "never", "", "disabled" if not target.enabled else "no day fits it"]]
    return [
        [*(who if first else ["", "", ""]), tick.local, render.span(tick.at - now), "; ".join(tick.notes)]
        for first, tick in zip([True, *[False] * len(ticks)], ticks, strict=False)
    ]


def _shape(target: "Target", ticks: "list[ComingTick]") -> dict[str, Any]:
    from netscript_workers.domain import wire

    return {
        "jobId": target.id,
        "concept": target.concept.value,
        "schedule": target.schedule,
        "timezone": target.timezone,
        "catchUp": target.catch_up.value,
        "enabled": target.enabled,
        "next": [{"at": wire.iso(tick.at), "local": tick.local, "notes": list(tick.notes)} for tick in ticks],
    }
