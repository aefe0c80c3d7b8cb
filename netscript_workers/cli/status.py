"""`workers status`: what stands in the queue, and who works."""

from typing import TYPE_CHECKING, Any

import typer

from netscript_workers.cli import options, render, session
from netscript_workers.domain import wire

if TYPE_CHECKING:
    from netscript_workers.ports.engine import Engine
    from netscript_workers.ports.queue_admin import TopicDepth, WorkerInfo


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        "status",
        rich_help_panel=options.QUEUE,
        epilog=options.examples("workers status", "workers status --json | jq .deadLetters"),
    )(status)


def status(json: options.Json = False, config: options.Config = None) -> None:
    """Show the depth of each topic, the workers and the number of dead letters."""
    from netscript_workers import config as configuration

    settings = session.settings_of(options.load_options(config))
    depths, workers, dead = session.with_engine(settings, _look)
    provider = configuration.resolve_provider(settings).provider.value
    if json:
        render.data_json(wire.status(provider, settings.queue_name, depths, workers, dead))
        return
    render.data(f"Queue {settings.queue_name} on {provider}, {render.count(dead, 'dead letter')}\n")
    _topics(depths)
    render.data("")
    _workers(workers)


async def _look(engine: "Engine") -> "tuple[list[TopicDepth], list[WorkerInfo], int]":
    return await engine.depths(), await engine.workers(), await engine.count_dead()


def _topics(depths: "list[TopicDepth]") -> None:
    if not depths:
        render.data("No topic holds anything.")
        return
    headings = ["TOPIC", "PENDING", "QUEUED", "RUNNING", "OLDEST", "STATE"]
    rows = [
        [
            each.topic,
            *[f"{number:,}" for number in (each.pending, each.queued, each.running)],
            render.span(each.oldest_age_ms),
            "paused" if each.paused else "",
        ]
        for each in depths
    ]
    render.table(headings, rows, numbers=headings[1:5])


def _workers(workers: "list[WorkerInfo]") -> None:
    if not workers:
        render.data("No worker is running. Start one with: workers combined")
        return
    headings = ["WORKER", "HOST", "PID", "ROLE", "TOPICS", "BUSY", "SINCE", "SEEN"]
    rows: list[list[Any]] = []
    for supervisor, members in _by_supervisor(workers):
        if supervisor is not None:
            rows.append([supervisor, members[0].host, "", "run", _processes(len(members)), "", "", ""])
        rows += [_worker_row(each, below=supervisor is not None) for each in members]
    render.table(headings, rows, numbers=["PID", "BUSY"])
    for each in workers:
        if each.restarts:
            render.data(
                f"{each.id} was started again {render.count(each.restarts, 'time')} by its supervisor"
            )
        if each.degraded is not None:
            render.data(f"{each.id} is degraded: {each.degraded}")


def _by_supervisor(workers: "list[WorkerInfo]") -> "list[tuple[str | None, list[WorkerInfo]]]":
    """Gather the processes of each `workers run`; those that nobody supervises come first."""
    families: dict[str | None, list[WorkerInfo]] = {}
    for each in sorted(workers, key=lambda one: (one.supervisor or "", one.started_at)):
        families.setdefault(each.supervisor, []).append(each)
    return list(families.items())


def _processes(number: int) -> str:
    return "1 process" if number == 1 else f"{number} processes"


def _worker_row(worker: "WorkerInfo", *, below: bool) -> list[Any]:
    return [
        f"  {worker.id}" if below else worker.id,
        worker.host,
        str(worker.pid),
        worker.role,
        ", ".join(worker.topics),
        f"{worker.slots_busy}/{worker.slots_total}",
        render.moment(worker.started_at),
        render.moment(worker.last_seen_at),
    ]
