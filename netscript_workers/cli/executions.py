"""`workers executions`, `show`, `cancel`, `retry`: what was enqueued, and the verbs on one execution."""

from typing import TYPE_CHECKING

import typer

from netscript_workers.cli import options, render, session
from netscript_workers.domain import wire
from netscript_workers.domain.execution import FINISHED, Execution
from netscript_workers.errors import IllegalMoveError, UnknownExecutionError

if TYPE_CHECKING:
    from netscript_workers.domain.execution import LogLine
    from netscript_workers.domain.settlement import AttemptRecord
    from netscript_workers.ports.engine import Engine

_ERROR_WIDTH = 60
_LAST_LINES = 20


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    add = app.command
    add(
        "executions",
        rich_help_panel=options.QUEUE,
        epilog=options.examples(
            "workers executions",
            "workers executions --job hello --status failed --limit 5",
            "workers executions --json | jq '.[].id'",
        ),
    )(executions)
    add(
        "show",
        rich_help_panel=options.QUEUE,
        epilog=options.examples("workers show 0199f3a2-8d1c-7a40-b0c1-5f2f5a1e9d77"),
    )(show)
    add(
        "cancel",
        rich_help_panel=options.QUEUE,
        epilog=options.examples("workers cancel 0199f3a2-8d1c-7a40-b0c1-5f2f5a1e9d77"),
    )(cancel)
    add(
        "retry",
        rich_help_panel=options.QUEUE,
        epilog=options.examples("workers retry 0199f3a2-8d1c-7a40-b0c1-5f2f5a1e9d77"),
    )(retry)


def executions(
    target: options.TargetFilter = None,
    topic: options.TopicFilter = None,
    status: options.StatusFilter = None,
    limit: options.Limit = 20,
    json: options.Json = False,
    config: options.Config = None,
) -> None:
    """List executions, newest first."""
    from netscript_workers.ports.history import HistoryQuery

    query = HistoryQuery(target=target, topic=topic, status=status, limit=limit)
    settings = session.settings_of(options.load_options(config))
    found = session.with_engine(settings, lambda engine: engine.find(query))
    if json:
        render.data_json([wire.execution_record(each) for each in found])
        return
    if not found:
        render.note("No executions match.")
        return
    headings = ["EXECUTION", "TARGET", "TOPIC", "STATUS", "ATTEMPT", "TRIGGERED", "DURATION", "ERROR"]
    render.table(headings, [_row(each) for each in found], numbers=["DURATION"])


def show(
    execution: options.ExecutionArgument, json: options.Json = False, config: options.Config = None
) -> None:
    """Show one execution: its record, its attempts and its last log lines."""
    settings = session.settings_of(options.load_options(config))
    record, attempts, lines = session.with_engine(settings, lambda engine: _everything(engine, execution))
    if json:
        render.data_json(wire.execution_record(record))
        return
    render.pairs(_facts(record))
    if attempts:
        render.data("")
        headings = ["ATTEMPT", "ENDED", "DURATION", "CAUSE", "EXIT", "MEMORY", "CPU", "ERROR"]
        render.table(
            headings, [_attempt_row(each) for each in attempts], numbers=["DURATION", "MEMORY", "CPU"]
        )
    if lines:
        render.data("")
        for line in lines:
            render.data(line.line)


def cancel(executions: options.ExecutionArguments, config: options.Config = None) -> None:
    """Cancel executions: what waits ends at once, what runs is asked to stop."""
    settings = session.settings_of(options.load_options(config))
    answers = session.with_engine(settings, lambda engine: engine.cancel_many(executions))
    for answer in answers:
        if answer.before is None:
            raise UnknownExecutionError(_unknown(answer.execution_id))
        if answer.before in FINISHED:
            raise IllegalMoveError(
                f"execution {answer.execution_id} is already {answer.before.value}, so it cannot be cancelled."
            )
        asked = answer.before.value == "running"
        render.note(f"{answer.execution_id}: {'asked to stop' if asked else 'cancelled'}")


def retry(executions: options.ExecutionArguments, config: options.Config = None) -> None:
    """Run finished executions again: the same ids, their attempts anew."""
    settings = session.settings_of(options.load_options(config))
    session.with_engine(settings, lambda engine: _retry(engine, executions))
    for each in executions:
        render.note(f"{each}: queued again")


async def get(engine: "Engine", execution_id: str) -> Execution:
    """Return one record; raises `UnknownExecutionError` when there is none."""
    (found,) = await engine.get_many([execution_id])
    if found is None:
        raise UnknownExecutionError(_unknown(execution_id))
    return found


async def _retry(engine: "Engine", ids: list[str]) -> None:
    records = [await get(engine, each) for each in ids]
    for record in records:
        if record.status not in FINISHED:
            raise _not_finished(record)
    for record, done in zip(records, await engine.retry_many(ids), strict=True):
        if not done:
            raise _not_finished(await get(engine, record.id))


async def _everything(
    engine: "Engine", execution_id: str
) -> "tuple[Execution, list[AttemptRecord], list[LogLine]]":
    record = await get(engine, execution_id)
    attempts = await engine.attempts(execution_id)
    lines = await engine.logs(execution_id)
    return record, attempts, [line for _, line in lines[-_LAST_LINES:]]


def _not_finished(record: Execution) -> IllegalMoveError:
    return IllegalMoveError(
        f"execution {record.id} is {record.status.value}; only a finished one can be retried. "
        f"To start over, cancel it first: workers cancel {record.id}"
    )


def _unknown(execution_id: str) -> str:
    return f"no execution has the id {execution_id}. List them with: workers executions"


def _row(execution: Execution) -> list[str]:
    return [
        execution.id,
        execution.target,
        execution.topic,
        execution.status.value,
        f"{execution.attempt}/{execution.max_attempts}",
        render.moment(execution.triggered_at),
        render.span(wire.execution_record(execution)["duration"]),
        render.first_line(execution.error, _ERROR_WIDTH),
    ]


def _attempt_row(attempt: "AttemptRecord") -> list[str]:
    took = attempt.completed_at - attempt.started_at if attempt.started_at is not None else None
    memory = attempt.peak_memory
    return [
        str(attempt.attempt),
        render.moment(attempt.completed_at),
        render.span(took),
        attempt.cause or "success",
        "" if attempt.exit_code is None else str(attempt.exit_code),
        "" if memory is None else f"{memory / 2**20:.1f} MB",
        "" if attempt.cpu_ms is None else render.span(attempt.cpu_ms),
        render.first_line(attempt.error, _ERROR_WIDTH),
    ]


def _facts(execution: Execution) -> list[tuple[str, str]]:
    import json

    record = wire.execution_record(execution)
    progress = execution.progress
    facts = [
        ("execution", execution.id),
        (execution.concept.value, execution.target),
        ("topic", execution.topic),
        ("status", execution.status.value),
        ("attempt", f"{execution.attempt} of {execution.max_attempts}"),
        ("priority", str(execution.priority)),
        ("triggered", f"{render.moment(execution.triggered_at)} ({execution.triggered_by.value})"),
        ("due", render.moment(execution.due_at)),
        ("started", render.moment(execution.started_at)),
        ("completed", render.moment(execution.completed_at)),
        ("duration", render.span(record["duration"])),
        ("worker", execution.worker_id or ""),
        ("exit code", "" if execution.exit_code is None else str(execution.exit_code)),
        ("correlation id", execution.correlation_id or ""),
        ("idempotency key", execution.idempotency_key or ""),
        ("traceparent", execution.traceparent or ""),
        ("progress", f"{progress.percent:g} % {progress.message or ''}".rstrip() if progress else ""),
        ("payload", json.dumps(record["payload"], ensure_ascii=False)),
        ("result", "" if execution.result is None else json.dumps(record["result"], ensure_ascii=False)),
        ("error", execution.error or ""),
    ]
    return [(name, value) for name, value in facts if value]
