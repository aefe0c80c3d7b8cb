"""The whole command line, put together from its nouns."""

import importlib
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Final

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


# The files of the commands in the order of the help, with the commands of each.
NOUNS: Final = {
    "daemon": ("run", "combined", "worker", "scheduler"),
    "systemd": ("systemd",),
    "trigger": ("trigger",),
    "executions": ("executions", "show", "cancel", "retry"),
    "logs": ("logs",),
    "dead": ("dead",),
    "topics": ("pause", "resume"),
    "status": ("status",),
    "top": ("top",),
    "why": ("why",),
    "health": ("health",),
    "targets": ("jobs", "tasks"),
    "scaffold": ("init", "add"),
    "execute": ("exec",),
    "permissions": ("permissions",),
    "validate": ("validate",),
    "schedule": ("schedule",),
    "schema": ("schema",),
    "doctor": ("doctor",),
    "conformance": ("conformance",),
    "db": ("db",),
    "bench": ("bench",),
}


def build(command: str | None = None) -> typer.Typer:
    """Make the application: with what the file of `command` registers, or, when that is none, with every command."""
    nouns = [noun for noun, commands in NOUNS.items() if command in commands] or list(NOUNS)
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
    for noun in nouns:
        importlib.import_module(f"netscript_workers.cli.{noun}").register(app)
    return app


def invoke(argv: Sequence[str]) -> int:
    """Parse `argv` and run the command it names; wrong usage has been told on stderr when this returns 2."""
    # One command needs neither the time nor the memory of all others; whatever else stands there gets the whole.
    command = typer.main.get_command(build(argv[0] if argv else None))
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
