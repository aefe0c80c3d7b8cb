"""`workers logs`: the captured lines of one execution, also while it runs."""

import json as json_text
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Final

import typer

from netscript_workers.cli import options, render, session
from netscript_workers.cli.executions import get
from netscript_workers.domain import wire
from netscript_workers.domain.execution import FINISHED, LogLine

if TYPE_CHECKING:
    from netscript_workers.ports.engine import Engine

_LOOK_EVERY_MS: Final = 300


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        "logs",
        rich_help_panel=options.QUEUE,
        epilog=options.examples(
            "workers logs 0199f3a2-8d1c-7a40-b0c1-5f2f5a1e9d77",
            "workers logs --follow $(workers trigger hello)",
        ),
    )(logs)


def logs(
    execution: options.ExecutionArgument,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the execution has ended.")
    ] = False,
    json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Print what an execution wrote: stdout, stderr and its log.

    With --json an array; with --json --follow one object on each line, as they come.
    """
    settings = session.settings_of(options.load_options(config))
    if follow:
        say: Callable[[LogLine], None] = _say_json if json else _say
        session.with_engine(settings, lambda engine: _follow(engine, execution, say))
        return
    lines = session.with_engine(settings, lambda engine: _kept(engine, execution))
    if json:
        render.data_json([wire.log_line(line) for line in lines])
        return
    for line in lines:
        _say(line)


async def _kept(engine: "Engine", execution_id: str) -> list[LogLine]:
    await get(engine, execution_id)
    return [line for _, line in await engine.logs(execution_id)]


async def _follow(engine: "Engine", execution_id: str, say: Callable[[LogLine], None]) -> None:
    position = 0
    while True:
        # Asked first: whatever was written before the end is then among the lines.
        ended = (await get(engine, execution_id)).status in FINISHED
        fresh = await engine.logs(execution_id, position)
        for _, line in fresh:
            say(line)
        position = fresh[-1][0] if fresh else position
        if ended:
            return
        await engine.wait_for_end([execution_id], _LOOK_EVERY_MS)


def _say(line: LogLine) -> None:
    time = (wire.iso(line.time) or "")[11:23]
    label = line.level if line.stream == "log" else line.stream
    print(f"{time} {label:<7} {line.line}", flush=True)


def _say_json(line: LogLine) -> None:
    print(json_text.dumps(wire.log_line(line), ensure_ascii=False), flush=True)
