"""`workers bench`: rates, latency and memory on this machine."""

import os
import platform
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netscript_workers.cli import faults, options, render
from netscript_workers.errors import UsageError

if TYPE_CHECKING:
    from netscript_workers.cli.bench_figures import Figure
    from netscript_workers.cli.bench_plan import Step

_Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="PART",
        show_default=False,
        help="Measure this part alone; give it again for more: enqueue, runs, fresh, tasks, latency, idle, cpu, history.",
    ),
]
_Tasks = Annotated[bool, typer.Option("--tasks", help="Short for --only tasks.")]
_Repeat = Annotated[
    int, typer.Option("--repeat", min=1, help="How often each rate is measured; the median counts.")
]
_Scale = Annotated[
    float, typer.Option("--scale", min=0.001, help="Multiplies every count; 0.1 is a quick look.")
]
_Idle = Annotated[float, typer.Option("--idle", min=0.1, help="Seconds for which an idle daemon is watched.")]
_History = Annotated[
    int,
    typer.Option(
        "--history", min=0, help="Measure too with so many finished executions in the file (1000000)."
    ),
]
_Dir = Annotated[
    Path | None,
    typer.Option(
        "--dir",
        metavar="DIR",
        exists=True,
        file_okay=False,
        show_default=False,
        help="Measure on the disk of this directory; else where temporary files go.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        "bench",
        rich_help_panel=options.CHECKING,
        epilog=options.examples(
            "workers bench",
            "workers bench --only latency --only idle --json",
            "workers bench --dir /var/lib --only history --history 1000000",
        ),
    )(bench)


def bench(
    only: _Only = None,
    tasks: _Tasks = False,
    repeat: _Repeat = 3,
    scale: _Scale = 1.0,
    idle: _Idle = 10.0,
    history: _History = 0,
    directory: _Dir = None,
    json: options.Json = False,
) -> None:
    """Measure enqueueing, runs in each mode, latency, memory and idle cost, with real daemons on private queues.

    Takes about two minutes and leaves nothing behind. Measure on an otherwise quiet machine.
    """
    import asyncio

    from netscript_workers.cli import bench_plan, bench_project

    only = ["tasks"] if tasks and not only else only
    parts = _parts(only)
    if only and bench_plan.Part.HISTORY in parts and not history:
        raise UsageError("the part history needs a length: --history 1000000")
    bench_project.forget_overrides()
    signal.signal(signal.SIGTERM, _leave)
    with bench_project.ground(directory) as ground:
        plan = bench_plan.Plan(ground=ground, repeat=repeat, scale=scale, idle_s=idle, history=history)
        chosen = [step for step in bench_plan.steps(plan) if step.part in parts]
        figures = asyncio.run(_measure(chosen))
    if json:
        render.data_json({"machine": _machine(), "figures": [figure.shape() for figure in figures]})
        return
    render.table(
        ["MEASURED", "MEDIAN", "UNIT", "RANGE", "HOW"],
        [figure.row() for figure in figures],
        numbers=["MEDIAN"],
    )
    machine = _machine()
    render.note("\n" + ", ".join(f"{name} {value}" for name, value in machine.items()))


def _parts(only: Sequence[str] | None) -> "frozenset[Any]":
    from netscript_workers.cli.bench_plan import Part

    known = {part.value: part for part in Part}
    unknown = [name for name in only or () if name not in known]
    if unknown:
        raise typer.BadParameter(f"“{unknown[0]}” is none of {', '.join(known)}.", param_hint="--only")
    return frozenset(known[name] for name in only) if only else frozenset(Part)


async def _measure(steps: "list[Step]") -> "list[Figure]":
    figures: list[Figure] = []
    if not render.has_colour(sys.stderr):
        for step in steps:
            render.note(f"measuring: {step.title}")
            figures.extend(await step.run())
        return figures
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        shown = bar.add_task("", total=len(steps))
        for step in steps:
            bar.update(shown, description=step.title)
            figures.extend(await step.run())
            bar.advance(shown)
    return figures


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "version": faults.version(),
    }


def _leave(_signal: int, _frame: object) -> None:
    """End as an exception does, so that every daemon and directory finds its owner's cleanup."""
    raise SystemExit(128 + signal.SIGTERM)
