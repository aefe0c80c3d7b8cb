"""What the memory engine holds: one entry for each execution, and the orders in which they are looked for."""

import heapq
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from netscript_workers.domain.execution import FINISHED, Execution, LogLine, NewExecution, Status, TriggeredBy
from netscript_workers.domain.settlement import AttemptRecord
from netscript_workers.engines.memory.bell import Bell
from netscript_workers.ports.promises import CANCELLED_ARCHIVE_MS, CANCELLED_KEEP_MS, LINES_KEPT

if TYPE_CHECKING:
    from netscript_workers.domain.overview import DeadLetter, WorkerInfo


@dataclass(slots=True, eq=False)
class Entry:
    """One execution and what belongs to it. `place` orders by arrival; `lease_until` is monotonic, in ms."""

    place: int
    record: Execution
    lease_until: int = 0
    cancel_asked: bool = False
    parked: bool = False
    archived: bool = False
    archive_at: int = 0
    delete_at: int = 0
    attempts: list[AttemptRecord] = field(default_factory=list[AttemptRecord])
    lines: "deque[tuple[int, LogLine]]" = field(default_factory=lambda: deque(maxlen=LINES_KEPT))
    position: int = 0

    @property
    def rank(self) -> tuple[int, int]:
        """Return what sorts the queue: higher priority first, then first come."""
        return -self.record.priority, self.place

    def add_lines(self, lines: Collection[LogLine]) -> None:
        """Keep lines, the last ones only."""
        for line in lines:
            self.position += 1
            self.lines.append((self.position, line))


Ranked = tuple[tuple[int, int], int, Entry]


class Store:
    """All executions of one queue. Heaps may hold stale items; they are passed over when met."""

    def __init__(self, wall_ms: Callable[[], int] | None = None) -> None:
        """Begin empty. `wall_ms` tells the time (ms since 1970)."""
        self.wall_ms = wall_ms or (lambda: time.time_ns() // 1_000_000)
        self.entries: dict[str, Entry] = {}
        self.topics: dict[str, list[Ranked]] = {}
        self.parked: dict[str, list[Ranked]] = {}
        self.pending: list[tuple[int, int, Entry]] = []
        self.running: dict[str, Entry] = {}
        self.running_of: Counter[str] = Counter()
        self.keys: dict[tuple[str, str], list[str]] = {}
        self.paused: set[str] = set()
        self.garbage: dict[str, DeadLetter] = {}
        self.workers: dict[str, WorkerInfo] = {}
        self.last_ticks: dict[str, int] = {}
        self.marks: dict[str, str] = {}  # what the schedules are
        self.work = Bell()
        self.cancels = Bell()
        self.ends = Bell()
        self._last_place = 0
        self._last_token = 0

    def lease_ms(self) -> int:
        """Tell the time that leases are counted in: it never jumps."""
        return time.monotonic_ns() // 1_000_000

    def token(self) -> int:
        """Return a token never used before."""
        self._last_token += 1
        return self._last_token

    def add(self, new: NewExecution) -> None:
        """Take in a new execution."""
        now = self.wall_ms()
        self._last_place += 1
        entry = Entry(
            self._last_place,
            Execution(
                id=new.id,
                concept=new.concept,
                target=new.target,
                topic=new.topic,
                status=Status.PENDING if new.delay_ms > 0 else Status.QUEUED,
                triggered_by=new.triggered_by,
                triggered_at=now,
                payload=new.payload,
                priority=new.priority,
                attempt=0,
                max_attempts=new.max_attempts,
                token=self.token(),
                due_at=now + new.delay_ms if new.delay_ms > 0 else None,
                correlation_id=new.correlation_id,
                idempotency_key=new.idempotency_key,
                traceparent=new.traceparent,
                tracestate=new.tracestate,
            ),
        )
        self.entries[new.id] = entry
        if new.idempotency_key is not None:
            self.keys.setdefault((new.target, new.idempotency_key), []).append(new.id)
        self.put(entry, entry.record)

    def put(self, entry: Entry, record: Execution) -> None:
        """Give the entry a record and a place in the orders that its status asks for."""
        if entry.record.status is Status.RUNNING and self.running.pop(record.id, None) is not None:
            self.running_of[record.target] -= 1
        entry.record = record
        entry.parked = False
        if record.status is Status.QUEUED:
            heap = self.topics.setdefault(record.topic, [])
            heapq.heappush(heap, (entry.rank, record.token, entry))
        elif record.status is Status.PENDING:
            heapq.heappush(self.pending, (record.due_at or 0, record.token, entry))
        elif record.status is Status.RUNNING:
            self.running[record.id] = entry
            self.running_of[record.target] += 1

    def park(self, entry: Entry) -> None:
        """Take a queued entry out of its topic's order: its target's limit holds it back."""
        entry.parked = True
        heapq.heappush(
            self.parked.setdefault(entry.record.target, []), (entry.rank, entry.record.token, entry)
        )

    def promote(self) -> None:
        """Queue what has become due."""
        now = self.wall_ms()
        while self.pending and (self.pending[0][0] <= now or not _waits(self.pending[0])):
            item = heapq.heappop(self.pending)
            if _waits(item):
                entry = item[2]
                self.put(entry, changed(entry.record, status=Status.QUEUED, due_at=None, token=self.token()))

    def next_due(self) -> int | None:
        """Return when the next pending one is due."""
        while self.pending and not _waits(self.pending[0]):
            heapq.heappop(self.pending)
        return self.pending[0][0] if self.pending else None

    def finish(self, entry: Entry, record: Execution, keep_ms: int, archive_ms: int) -> None:
        """Give the entry its last record, kept for these ages."""
        self.put(entry, record)
        entry.archive_at = self.wall_ms() + keep_ms
        entry.delete_at = entry.archive_at + archive_ms

    def cancel(self, entry: Entry) -> None:
        """End an entry that waits."""
        record = changed(
            entry.record,
            status=Status.CANCELLED,
            completed_at=self.wall_ms(),
            due_at=None,
            token=self.token(),
        )
        self.finish(entry, record, CANCELLED_KEEP_MS, CANCELLED_ARCHIVE_MS)

    def requeue(self, entry: Entry) -> None:
        """Put a finished entry back, attempts anew."""
        entry.archived = entry.cancel_asked = False
        self.put(entry, renewed(entry.record, self.token()))

    def remove(self, entry: Entry) -> None:
        """Forget an entry with all that belongs to it."""
        record = entry.record
        del self.entries[record.id]
        if record.idempotency_key is not None:
            key = (record.target, record.idempotency_key)
            self.keys[key].remove(record.id)
            if not self.keys[key]:
                del self.keys[key]

    def finished(self) -> Iterator[Entry]:
        """Yield what has ended."""
        return (entry for entry in self.entries.values() if entry.record.status in FINISHED)


def live(heap: list[Ranked], *, parked: bool) -> Entry | None:
    """Return the first of a topic's or a target's order, dropping the stale items before it."""
    while heap:
        _, token, entry = heap[0]
        record = entry.record
        if record.status is Status.QUEUED and record.token == token and entry.parked is parked:
            return entry
        heapq.heappop(heap)
    return None


def renewed(record: Execution, token: int) -> Execution:
    """Build the record of an execution that begins anew."""
    return changed(
        record,
        status=Status.QUEUED,
        triggered_by=TriggeredBy.RETRY,
        attempt=0,
        token=token,
        due_at=None,
        started_at=None,
        completed_at=None,
        exit_code=None,
        error=None,
        result=None,
        worker_id=None,
        progress=None,
    )


def _waits(item: tuple[int, int, Entry]) -> bool:
    record = item[2].record
    return record.status is Status.PENDING and record.token == item[1]


def changed(record: Execution, **changes: object) -> Execution:
    """Return the record with some fields changed."""
    return msgspec.structs.replace(record, **changes)
