"""`workers trigger`: enqueue one run, and wait for its end when asked to."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netscript_workers.cli import options, render, session
from netscript_workers.cli.payload import read_payload
from netscript_workers.domain import wire
from netscript_workers.domain.execution import Status
from netscript_workers.domain.target import MAX_PRIORITY

if TYPE_CHECKING:
    from netscript_workers.domain.execution import Enqueued, Execution

_Delay = Annotated[
    int | None,
    typer.Option(
        "--delay",
        metavar="DURATION",
        parser=options.duration_ms,
        show_default=False,
        help="Not before this has passed: 30s, 5m, 1h, or ms.",
    ),
]
_Priority = Annotated[
    int | None,
    typer.Option(
        "--priority",
        min=0,
        max=MAX_PRIORITY,
        show_default=False,
        help="Higher runs first; else the target's own.",
    ),
]
_Key = Annotated[
    str | None,
    typer.Option(
        "--idempotency-key",
        metavar="KEY",
        show_default=False,
        help="Enqueue once: as long as one with this key is unfinished, or completed within 24 h, you get that one.",
    ),
]
_Correlation = Annotated[
    str | None,
    typer.Option("--correlation-id", metavar="TEXT", show_default=False, help="Kept with the record."),
]
_Wait = Annotated[bool, typer.Option("--wait", "-w", help="Wait for the end; exit 1 unless it completed.")]
_Timeout = Annotated[
    int | None,
    typer.Option(
        "--timeout",
        metavar="DURATION",
        parser=options.duration_ms,
        show_default=False,
        help="Stop waiting after this; the run goes on, the exit status is 1. Else wait for as long as it takes.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        "trigger",
        rich_help_panel=options.QUEUE,
        epilog=options.examples(
            "workers trigger hello",
            'workers trigger hello --payload \'{"name": "Ada"}\' --wait',
            "workers trigger report --payload @month.json --delay 10m --priority 90",
            "cat order.json | workers trigger bill --payload - --idempotency-key order-1042 --json",
        ),
    )(trigger)


def trigger(
    target: options.TargetArgument,
    payload: options.Payload = "{}",
    delay: _Delay = None,
    priority: _Priority = None,
    idempotency_key: _Key = None,
    correlation_id: _Correlation = None,
    wait: _Wait = False,
    timeout: _Timeout = None,
    json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Enqueue one run of a job or task and print its execution id.

    With --wait the result is printed instead, as JSON, once the run has ended; with --wait --json the whole record.
    """
    request: dict[str, Any] = {
        "delay": delay or 0,
        "priority": priority,
        "idempotency_key": idempotency_key,
        "correlation_id": correlation_id,
    }
    enqueued = _enqueue(config, target, read_payload(payload), request)
    if wait:
        settings = session.settings_of(options.load_options(config))
        raise typer.Exit(_report(_awaited(settings, enqueued.id, timeout), json))
    if json:
        render.data_json(wire.trigger_answer(target, enqueued))
        return
    if enqueued.deduplicated:
        render.note("There is one with this key already; nothing was enqueued.")
    render.data(enqueued.id)


def _enqueue(
    config: Path | None, target: str, payload: dict[str, Any], request: dict[str, Any]
) -> "Enqueued":
    import asyncio

    from netscript_workers.client import Client

    async def enqueue() -> "Enqueued":
        async with Client(config) as client:
            return await client.trigger(target, payload, **request)

    return asyncio.run(enqueue())


def _awaited(settings: Any, execution_id: str, timeout_ms: int | None) -> "Execution":
    from netscript_workers.cli.waiting import wait_for

    return session.with_engine(settings, lambda engine: wait_for(engine, execution_id, timeout_ms))


def _report(execution: "Execution", json: bool) -> int:
    import json as json_text

    done = execution.status is Status.COMPLETED
    record = wire.execution_record(execution)
    if json:
        render.data_json(record)
    elif done and execution.result is not None:
        render.data(json_text.dumps(record["result"], ensure_ascii=False, indent=2))
    told = render.painted(execution.status.value, render.has_colour(sys.stderr))
    attempts = render.count(execution.attempt, "attempt")
    render.note(f"{execution.id} {told} in {render.span(record['duration']) or '0 ms'}, {attempts}")
    if not done and not json:
        if execution.error:
            render.note(execution.error)
        render.note(f"See also: workers show {execution.id}")
    return 0 if done else 1
