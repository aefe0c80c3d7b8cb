"""The whole command line, put together from its nouns."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from netscript_workers.cli import faults, options

ABOUT = """Run background work: a daemon, its queue, and what you need to look after them.

Handlers are plain Python functions in workers/jobs/. Start with: workers init"""


class Sections(TyperGroup):
    """A group whose help lists its commands under headings, in plain text that pipes and screen readers take."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write one list for each heading, in the order in which the commands were registered."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, command in self.commands.items():
            if command.hidden:
                continue
            heading = getattr(command, "rich_help_panel", None)
            title = heading if isinstance(heading, str) else "Commands"
            sections.setdefault(title, []).append((name, command.get_short_help_str(limit=90)))
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl(rows)


def build() -> typer.Typer:
    """Make the application with every command registered."""
    from netscript_workers.cli import (
        bench,
        conformance,
        daemon,
        db,
        dead,
        doctor,
        execute,
        executions,
        health,
        logs,
        permissions,
        scaffold,
        schedule,
        schema,
        status,
        systemd,
        targets,
        top,
        topics,
        trigger,
        validate,
        why,
    )

    app = typer.Typer(
        name="workers",
        cls=Sections,
        help=ABOUT,
        epilog=options.examples("workers init shop", "workers combined", "workers COMMAND --help"),
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for noun in (
        daemon,
        systemd,
        trigger,
        executions,
        logs,
        dead,
        topics,
        status,
        top,
        why,
        health,
        targets,
        scaffold,
        execute,
        permissions,
        validate,
        schedule,
        schema,
        doctor,
        conformance,
        db,
        bench,
    ):
        noun.register(app)
    return app


def invoke(argv: Sequence[str]) -> int:
    """Parse `argv` and run the command it names; wrong usage has been told on stderr when this returns 2."""
    command = typer.main.get_command(build())
    try:
        command.main(args=list(argv), prog_name="workers")
    except SystemExit as end:
        if isinstance(end.code, int):
            return end.code
        raise
    return 0


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"workers {faults.version()} (Python {sys.version.split()[0]})")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Take the options that stand before the command."""
