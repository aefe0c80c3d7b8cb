"""`workers top`: the queue, live; and as plain text, once, where nobody looks at a terminal."""

import sys
from typing import Annotated

import typer

from netscript_workers.cli import options, render, session, top_view

_Once = Annotated[bool, typer.Option("--once", help="Print everything once as plain text, and end.")]
_Every = Annotated[str, typer.Option("--every", metavar="TIME", help="How often to look at the queue.")]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        "top",
        rich_help_panel=options.QUEUE,
        epilog=options.examples("workers top", "workers top --every 5s", "workers top --once"),
    )(top)


def top(once: _Once = False, every: _Every = "1s", config: options.Config = None) -> None:
    """Watch lanes, runs and workers live; keys pause a lane and cancel a run. Plain text once when piped."""
    from netscript_workers.cli.top_screen import Screen, look

    settings = session.settings_of(options.load_options(config))
    period_s = max(options.duration_ms(every), 100) / 1000
    if (
        once
        or not (render.is_terminal(sys.stdout) and render.is_terminal(sys.stdin))
        or sys.platform == "win32"
    ):
        _print(session.with_engine(settings, look))
        return
    session.with_engine(settings, lambda engine: Screen(engine, period_s).run())


def _print(seen: top_view.Look) -> None:
    render.data(f"{render.count(seen.dead, 'dead letter')}, {len(seen.running)} running\n")
    render.table(top_view.LANE_HEADINGS, top_view.lane_rows(seen), numbers=top_view.LANE_HEADINGS[1:6])
    render.data("")
    render.table(top_view.RUN_HEADINGS, top_view.run_rows(seen), numbers=["FOR"])
    render.data("")
    render.table(top_view.WORKER_HEADINGS, top_view.worker_rows(seen), numbers=["PID", "BUSY"])
