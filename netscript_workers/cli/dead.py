"""`workers dead list|requeue|purge`: what failed for good."""

from typing import Annotated

import typer

from netscript_workers.cli import options, render, session
from netscript_workers.domain import wire
from netscript_workers.errors import UnknownExecutionError, UsageError
from netscript_workers.ports.queue_admin import DeadFilter, DeadLetter

_REASON_WIDTH = 90

_Which = Annotated[
    list[str] | None,
    typer.Argument(metavar="EXECUTION", show_default=False, help="Ids of dead letters."),
]
_All = Annotated[bool, typer.Option("--all", help="Every dead letter there is.")]
_Max = Annotated[
    int | None, typer.Option("--limit", "-n", min=1, show_default=False, help="How many at most; else all.")
]


def register(app: typer.Typer) -> None:
    """Add the group of commands to `app`."""
    dead = typer.Typer(
        help="List, requeue or purge dead letters: executions that failed with no attempt left.",
        epilog=options.examples("workers dead list", "workers dead requeue --target hello"),
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    dead.command(
        "list", epilog=options.examples("workers dead list", "workers dead list --topic mail --json")
    )(list_)
    dead.command(
        "requeue",
        epilog=options.examples(
            "workers dead requeue 0199f3a2-8d1c-7a40-b0c1-5f2f5a1e9d77", "workers dead requeue --target hello"
        ),
    )(requeue)
    dead.command(
        "purge", epilog=options.examples("workers dead purge --topic mail", "workers dead purge --all")
    )(purge)
    app.add_typer(dead, name="dead", rich_help_panel=options.QUEUE)


def list_(
    target: options.TargetFilter = None,
    topic: options.TopicFilter = None,
    limit: _Max = None,
    json: options.Json = False,
    config: options.Config = None,
) -> None:
    """List dead letters, the latest failure first."""
    which = DeadFilter(target=target, topic=topic)
    settings = session.settings_of(options.load_options(config))
    letters = session.with_engine(settings, lambda engine: engine.dead_letters(which, limit))
    if json:
        render.data_json([wire.dead_letter(letter) for letter in letters])
        return
    if not letters:
        render.note("No dead letters.")
        return
    render.table(["EXECUTION", "TARGET", "TOPIC", "FAILED", "ATTEMPTS", "REASON"], [_row(x) for x in letters])


def requeue(
    executions: _Which = None,
    target: options.TargetFilter = None,
    topic: options.TopicFilter = None,
    everything: _All = False,
    config: options.Config = None,
) -> None:
    """Put dead letters back into the queue, their attempts anew."""
    which = _chosen(executions, target, topic, everything)
    settings = session.settings_of(options.load_options(config))
    done = session.with_engine(settings, lambda engine: engine.requeue_dead(which))
    _require_some(done, which)
    render.note(f"{render.count(done, 'dead letter')} queued again")


def purge(
    executions: _Which = None,
    target: options.TargetFilter = None,
    topic: options.TopicFilter = None,
    everything: _All = False,
    config: options.Config = None,
) -> None:
    """Delete dead letters with their records and log lines, for good."""
    which = _chosen(executions, target, topic, everything)
    settings = session.settings_of(options.load_options(config))
    done = session.with_engine(settings, lambda engine: engine.purge_dead(which))
    _require_some(done, which)
    render.note(f"{render.count(done, 'dead letter')} purged")


def _chosen(ids: list[str] | None, target: str | None, topic: str | None, everything: bool) -> DeadFilter:
    narrowed = bool(ids) or target is not None or topic is not None
    if narrowed == everything:
        raise UsageError(
            "say which dead letters: ids, --target, --topic, or --all for every one of them (but not --all with another)."
        )
    return DeadFilter(ids=tuple(ids or ()), target=target, topic=topic)


def _require_some(done: int, which: DeadFilter) -> None:
    if done == 0 and which.ids:
        raise UnknownExecutionError(
            f"none of {', '.join(which.ids)} is a dead letter. List them with: workers dead list"
        )


def _row(letter: DeadLetter) -> list[str]:
    execution = letter.execution
    return [
        letter.id,
        execution.target if execution else "(not our format)",
        execution.topic if execution else "",
        render.moment(letter.failed_at),
        str(execution.attempt) if execution else "",
        render.first_line(letter.reason, _REASON_WIDTH),
    ]
