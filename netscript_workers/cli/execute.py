"""`workers exec`: one run, now, in the foreground, with no queue."""

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import typer

from netscript_workers.cli import options, render
from netscript_workers.cli.payload import read_payload
from netscript_workers.domain.outcome import Kind
from netscript_workers.errors import UsageError

if TYPE_CHECKING:
    from netscript_workers.domain.execution import LogLine, Progress
    from netscript_workers.domain.outcome import Outcome

_SHOW_EVERY_S: Final = 0.2
_DONE: Final = 100


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        "exec",
        rich_help_panel=options.DEVELOPING,
        epilog=options.examples(
            "workers exec hello",
            'workers exec hello --payload \'{"name": "Ada"}\' --runtime in-process',
            "workers exec report --payload @month.json",
        ),
    )(execute)


def execute(
    target: options.TargetArgument,
    payload: options.Payload = "{}",
    runtime: options.Runtime = None,
    config: options.Config = None,
) -> None:
    """Run a job or task once, here and now, without the queue: one attempt, in its own runner mode.

    Its lines and progress go to stderr, its result as JSON to stdout. Exit 1 when it failed; Ctrl-C stops it.
    """
    import asyncio

    from netscript_workers import wiring
    from netscript_workers.wiring.greeting import runtime_overruled
    from netscript_workers.wiring.project import told

    value = read_payload(payload)
    project = wiring.load_project(options.load_options(config, runtime=runtime))
    for problem in project.problems:
        render.note(told(problem))
    if runtime is not None and target in project.targets and project.targets[target].type is not None:
        raise UsageError(
            f"“{target}” is a task, which is a program of its own: --runtime says where jobs run"
        )
    overruled = runtime_overruled(project, [one for one in project.targets.values() if one.id == target])
    if overruled:
        render.note(overruled)
    outcome = asyncio.run(wiring.run_once(project, target, value, Spectator()))
    raise typer.Exit(_report(outcome))


class Spectator:
    """Shows on stderr what the run reports, as it comes."""

    def __init__(self) -> None:
        """Keep the stderr of now: while a run goes on in this process, `sys.stderr` takes in what the handler prints."""
        self._stream = sys.stderr
        self._colour = render.has_colour(sys.stderr)
        self._shown_at = 0.0

    def progress(self, progress: "Progress") -> None:
        """Show progress on a line of its own, a few times a second at most."""
        now = time.monotonic()
        if now - self._shown_at < _SHOW_EVERY_S and progress.percent < _DONE:
            return
        self._shown_at = now
        message = f" {progress.message}" if progress.message else ""
        self._say(f"{progress.percent:3.0f} %{message}", "36")

    def lines(self, lines: "Sequence[LogLine]") -> None:
        """Show captured lines; those of the log with their level."""
        for line in lines:
            if line.stream == "log":
                self._say(f"{line.level}: {line.line}", "2")
            else:
                print(line.line, file=self._stream, flush=True)

    def _say(self, text: str, code: str) -> None:
        print(f"\x1b[{code}m{text}\x1b[0m" if self._colour else text, file=self._stream, flush=True)


def _report(outcome: "Outcome") -> int:
    import msgspec

    if outcome.result is not None:
        render.data(msgspec.json.format(outcome.result, indent=2).decode())
    if outcome.kind is Kind.SUCCEEDED:
        return 0
    render.note(f"{outcome.kind.value}: {outcome.error or 'no reason given'}")
    return 1
