"""What `workers top` draws, from one look at the queue."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from netscript_workers.cli import render
from netscript_workers.domain.execution import Execution, Status
from netscript_workers.domain.overview import TopicDepth, WorkerInfo

if TYPE_CHECKING:
    from rich.console import RenderableType

    from netscript_workers.ports.engine import Engine

RUNNING_SHOWN: Final = 50
_BAR: Final = 10
KEYS: Final = (
    "tab: lanes or runs · up, down: choose · p: pause or resume the lane · c: cancel the run · q: quit"
)
LANE_HEADINGS: Final = ("TOPIC", "PENDING", "QUEUED", "RUNNING", "OLDEST", "ENDED/S", "STATE")
RUN_HEADINGS: Final = ("EXECUTION", "TARGET", "TOPIC", "WORKER", "ATTEMPT", "FOR", "MEMORY", "PROGRESS")
WORKER_HEADINGS: Final = ("WORKER", "HOST", "PID", "ROLE", "BUSY", "SLOTS", "MEMORY", "STATE")


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """The queue at one moment. `now` is ms since 1970 by this host's clock."""

    depths: Sequence[TopicDepth]
    workers: Sequence[WorkerInfo]
    running: Sequence[Execution]
    dead: int
    now: int


async def look(engine: "Engine", now: int) -> Look:
    """Ask the engine for everything shown."""
    from netscript_workers.ports.history import HistoryQuery

    workers = await engine.workers()
    return Look(
        depths=lanes_of(await engine.depths(), workers),
        workers=workers,
        running=await engine.find(HistoryQuery(status=Status.RUNNING, limit=RUNNING_SHOWN)),
        dead=await engine.count_dead(),
        now=now,
    )


def lanes_of(depths: Sequence[TopicDepth], workers: Sequence[WorkerInfo]) -> list[TopicDepth]:
    """Return the lanes by name: those that hold anything or are paused, and those that some worker serves."""
    lanes = {topic: _empty(topic) for worker in workers for topic in worker.topics}
    lanes |= {one.topic: one for one in depths}
    return [lanes[topic] for topic in sorted(lanes)]


def rates(workers: Sequence[WorkerInfo]) -> dict[str, float]:
    """Return how many executions end in a second in each lane that a worker serves, as all workers together announced it."""
    by_topic = {topic: 0.0 for worker in workers for topic in worker.topics}
    for worker in workers:
        for topic, rate in worker.ended.items():
            by_topic[topic] = by_topic.get(topic, 0.0) + rate
    return by_topic


def lane_rows(seen: Look) -> list[list[str]]:
    """Return the rows of the lanes."""
    by_topic = rates(seen.workers)
    return [
        [
            one.topic,
            *(f"{number:,}" for number in (one.pending, one.queued, one.running)),
            render.span(one.oldest_age_ms),
            f"{by_topic[one.topic]:,.1f}" if one.topic in by_topic else "",
            "paused" if one.paused else "",
        ]
        for one in seen.depths
    ]


def run_rows(seen: Look) -> list[list[str]]:
    """Return the rows of what runs; memory is that of its slot when its worker last announced itself."""
    memory = {slot.execution_id: slot.memory for worker in seen.workers for slot in worker.slots}
    return [
        [
            one.id,
            one.target,
            one.topic,
            one.worker_id or "",
            f"{one.attempt}/{one.max_attempts}",
            render.span(max(0, seen.now - one.started_at)) if one.started_at is not None else "",
            _size(memory.get(one.id)),
            _progress(one),
        ]
        for one in seen.running
    ]


def worker_rows(seen: Look) -> list[list[str]]:
    """Return the rows of the workers."""
    return [
        [
            one.id,
            one.host,
            str(one.pid),
            one.role,
            f"{one.slots_busy}/{one.slots_total}",
            str(len({slot.pid for slot in one.slots} - {one.pid})),
            _size(sum(slot.memory or 0 for slot in one.slots if slot.pid != one.pid) or None),
            "" if one.degraded is None else f"degraded: {one.degraded}",
        ]
        for one in seen.workers
    ]


def drawn(seen: Look, chosen: tuple[str, int], said: str) -> "RenderableType":
    """Draw the whole screen; `chosen` is the table and the row that the keys act on."""
    from rich.console import Group
    from rich.text import Text

    title = Text(f"{render.count(seen.dead, 'dead letter')}, {len(seen.running)} running", style="bold")
    return Group(
        title,
        _table("lanes", LANE_HEADINGS, lane_rows(seen), chosen),
        _table("runs", RUN_HEADINGS, run_rows(seen), chosen),
        _table("workers", WORKER_HEADINGS, worker_rows(seen), chosen),
        Text(said, style="yellow"),
        Text(KEYS, style="dim"),
    )


def _table(name: str, headings: Sequence[str], rows: list[list[str]], chosen: tuple[str, int]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    for number, row in enumerate(rows):
        style = "reverse" if chosen == (name, number) else ""
        table.add_row(*(Text(cell) for cell in row), style=style)
    return table


def _size(memory: int | None) -> str:
    return "" if memory is None else f"{memory / 1_048_576:.1f} MB"


def _progress(execution: Execution) -> str:
    progress = execution.progress
    if progress is None:
        return ""
    full = round(min(max(progress.percent, 0), 100) / 100 * _BAR)
    return f"{'█' * full}{'░' * (_BAR - full)} {progress.percent:.0f} % {progress.message or ''}".rstrip()


def _empty(topic: str) -> TopicDepth:
    return TopicDepth(topic=topic, pending=0, queued=0, running=0, paused=False, oldest_age_ms=None)
