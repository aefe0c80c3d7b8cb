"""Which ticks are due, and when the next one is. Pure: time is passed in, in ms since 1970 by the engine's clock."""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Final, NamedTuple

import msgspec

from netscript_workers.domain.target import CatchUp, Target
from netscript_workers.domain.ticks import latest_ticks, ticks_after

MAX_CATCH_UP: Final = 1_000
"""How many missed ticks of one schedule `catch_up = "all"` brings back at the most: the latest ones."""

LATE_MS: Final = 60_000
"""A running scheduler that finds a tick due for longer than this (an outage, a suspended host) has missed it."""

_CAUGHT_UP: Final = {CatchUp.SKIP: 0, CatchUp.LATEST: 1, CatchUp.ALL: MAX_CATCH_UP}


class Schedule(msgspec.Struct, frozen=True):
    """When a target runs by itself."""

    target: str
    expression: str
    timezone: str
    catch_up: CatchUp

    @property
    def mark(self) -> str:
        """What the engine notes of it, so that a schedule that was changed while nothing ran begins anew."""
        return f"{' '.join(self.expression.split())} {self.timezone}"


class Due(NamedTuple):
    """A tick that is to be enqueued."""

    target: str
    at: int


class Missed(NamedTuple):
    """Ticks that came due while nobody enqueued: how many are brought back now, and whether older ones are left out."""

    target: str
    caught_up: int
    left_out: bool


def schedules_of(targets: Iterable[Target]) -> dict[str, Schedule]:
    """Return the schedules of those of `targets` that are enabled and have one, by target."""
    return {
        target.id: Schedule(target.id, target.schedule, target.timezone, target.catch_up)
        for target in targets
        if target.enabled and target.schedule is not None
    }


class _Cursor:
    """Where one schedule stands: `last` was handed out (or is not to be), `next` is the tick after it.

    The one after `next` can be found out ahead, while there is time: to find it takes longer than to hand one out.
    """

    __slots__ = ("_ahead", "_prepared", "_ticks", "last", "next", "schedule")

    def __init__(self, schedule: Schedule, last: int) -> None:
        self.schedule = schedule
        self.last = last
        self._ticks = ticks_after(schedule.expression, schedule.timezone, last)
        self.next = next(self._ticks, None)
        self._ahead: int | None = None
        self._prepared = False

    def advance(self) -> None:
        if self.next is not None:
            self.last = self.next
            self.prepare()
            self.next = self._ahead
            self._prepared = False

    def prepare(self) -> None:
        if not self._prepared:
            self._ahead = next(self._ticks, None)
            self._prepared = True


class Timetable:
    """The schedules of one scheduler, and how far each of them is."""

    def __init__(self) -> None:
        self._cursors: dict[str, _Cursor] = {}
        self._heap: list[tuple[int, str]] = []
        self._overdue: list[Due] = []
        self._missed: list[Missed] = []
        self._unprepared: set[_Cursor] = set()

    def __len__(self) -> int:
        return len(self._cursors)

    @property
    def next_at(self) -> int | None:
        """When the next tick is due; None when there is none."""
        if self._overdue:
            return self._overdue[0].at
        self._drop_stale()
        return self._heap[0][0] if self._heap else None

    def take(self, schedules: Mapping[str, Schedule], last: Mapping[str, int], now: int) -> None:
        """Follow `schedules` from here on. `last` is how far the engine says each of them is.

        One that is new to this scheduler catches up with what it has missed; one that was changed begins anew with its next tick;
        one that others have taken further goes on from there. What is not among `schedules` is dropped.
        """
        for target in self._cursors.keys() - schedules.keys():
            del self._cursors[target]
        self._overdue = [due for due in self._overdue if due.target in schedules]
        for target, schedule in schedules.items():
            cursor = self._cursors.get(target)
            stands = last.get(target, now)
            if cursor is None:
                self._overdue += self._caught_up(schedule, stands, now)
                self._follow(schedule, max(stands, now))
            elif cursor.schedule != schedule:
                self._follow(schedule, max(stands, now))
            elif stands > cursor.last:
                self._follow(schedule, stands)

    def due(self, now: int, limit: int) -> list[Due]:
        """Hand out at most `limit` ticks that are due, each once, those of one schedule in order."""
        while (at := self._first()) is not None and at <= now and len(self._overdue) < limit:
            target = heapq.heappop(self._heap)[1]
            cursor = self._cursors[target]
            if now - at > LATE_MS:
                self._overdue += self._caught_up(cursor.schedule, cursor.last, now)
                self._follow(cursor.schedule, now)
                continue
            self._overdue.append(Due(target, at))
            cursor.advance()
            self._plan(cursor)
        given, self._overdue = self._overdue[:limit], self._overdue[limit:]
        return given

    def put_back(self, batch: Sequence[Due]) -> None:
        """Take back what was handed out and not enqueued; it is handed out next, if its schedule is still followed."""
        self._overdue[:0] = batch

    def begin_again(self, targets: set[str]) -> None:
        """Know nothing of `targets` any more: when they are taken anew, they catch up with all that the engine has not noted."""
        for target in targets & self._cursors.keys():
            del self._cursors[target]
        self._overdue = [due for due in self._overdue if due.target not in targets]

    def prepare(self) -> None:
        """Find out ahead what comes after the next tick of each schedule; for when nothing is due."""
        for cursor in self._unprepared:
            cursor.prepare()
        self._unprepared.clear()

    def missed(self) -> list[Missed]:
        """Tell, once, of ticks that were missed."""
        missed, self._missed = self._missed, []
        return missed

    def _caught_up(self, schedule: Schedule, last: int, now: int) -> list[Due]:
        bound = _CAUGHT_UP[schedule.catch_up]
        found = latest_ticks(schedule.expression, schedule.timezone, last, now, bound + 1)
        if not found:
            return []
        kept = found[-bound:] if bound else []
        self._missed.append(Missed(schedule.target, len(kept), len(found) > len(kept)))
        return [Due(schedule.target, at) for at in kept]

    def _follow(self, schedule: Schedule, last: int) -> None:
        cursor = self._cursors[schedule.target] = _Cursor(schedule, last)
        self._plan(cursor)

    def _plan(self, cursor: _Cursor) -> None:
        if cursor.next is not None:
            self._unprepared.add(cursor)
            heapq.heappush(self._heap, (cursor.next, cursor.schedule.target))

    def _first(self) -> int | None:
        self._drop_stale()
        return self._heap[0][0] if self._heap else None

    def _drop_stale(self) -> None:
        """Drop what a schedule that has moved on, or is gone, left in the heap."""
        while self._heap:
            at, target = self._heap[0]
            cursor = self._cursors.get(target)
            if cursor is not None and cursor.next == at:
                return
            heapq.heappop(self._heap)


def coming(schedule: Schedule, after: int, until: int) -> Iterator[int]:
    """Yield the ticks of `schedule` later than `after`, up to `until`."""
    return takewhile(lambda at: at <= until, ticks_after(schedule.expression, schedule.timezone, after))
