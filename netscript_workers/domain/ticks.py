"""The moments at which a schedule comes due, exact across changes of the clocks. Pure; times are ms since 1970, UTC.

Which wall-clock readings fit is cronsim's to say; which moments have that reading is found out here, by one rule for five and six
fields (Debian cron's, for it is the one that people know):

- A schedule at fixed times (neither seconds, minutes nor hours begin with `*`) runs once for each of them. One that the clocks
  jump over (a gap) runs at the first moment after the jump; one that they show twice (a fold) runs the first time.
- Any other schedule goes by real time: each moment whose reading fits, so that `*/15 * * * *` keeps its period in gaps and folds.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim

from netscript_workers.domain.schedule import expand_cron

_SECOND: Final = timedelta(seconds=1)
_STEP: Final = timedelta(days=7)  # no zone changes its clocks twice within a week
_WIDEST_CHANGE: Final = timedelta(hours=26)  # a zone may even change its day
_WINDOW_MS: Final = 60_000
_FIVE_FIELDS: Final = 5


def ticks_after(expression: str, timezone: str, after: int) -> Iterator[int]:
    """Yield the ticks later than `after`, in order; ends when none comes within 50 years. Raises `ScheduleError`."""
    fields = expand_cron(expression)
    zone = _zone(timezone)
    start = _moment(after)
    found = _fixed(fields, zone, start) if is_fixed(fields) else _by_real_time(fields, zone, start)
    before = after
    for moment in found:
        tick = round(moment.timestamp()) * 1000
        if tick > before:  # two readings within one gap are one moment
            before = tick
            yield tick


def next_tick(expression: str, timezone: str, after: int) -> int | None:
    """Return the first tick later than `after`; None when none comes within 50 years."""
    return next(ticks_after(expression, timezone, after), None)


def latest_ticks(expression: str, timezone: str, after: int, until: int, limit: int) -> list[int]:
    """Return the last `limit` ticks that are later than `after` and not later than `until`, in order.

    Costs time in proportion to `limit`, however long ago `after` is.
    """
    width = _WINDOW_MS
    while True:
        start = max(after, until - width)
        found = list(islice(_until(ticks_after(expression, timezone, start), until), 2 * limit + 1))
        if len(found) > 2 * limit:  # the window holds far more: look at its end only
            return _last_of_many(expression, timezone, start, until, limit)
        if start == after or len(found) >= limit:
            return found[-limit:]
        width *= 4


def is_fixed(fields: str) -> bool:
    """Tell whether five or six fields name fixed times of the day."""
    parts = fields.split()
    times = parts[:2] if len(parts) == _FIVE_FIELDS else parts[:3]
    return not any(part.startswith("*") for part in times)


def clock_change(timezone: str, start: int, end: int) -> tuple[int, int] | None:
    """Return the first change of the clocks after `start` up to `end`: when, and by how much they go forward (ms; back: < 0)."""
    zone = _zone(timezone)
    change = _first_change(zone, _moment(start), _moment(end))
    if change is None:
        return None
    by = _offset(zone, change) - _offset(zone, change - _SECOND)
    return round(change.timestamp()) * 1000, round(by.total_seconds()) * 1000


def _last_of_many(expression: str, timezone: str, start: int, until: int, limit: int) -> list[int]:
    """Halve the stretch as long as its later half holds enough."""
    while until - start > 1000:  # noqa: PLR2004 - a tick is a whole second
        middle = (start + until) // 2
        later = list(islice(_until(ticks_after(expression, timezone, middle), until), 2 * limit + 1))
        if len(later) < limit:
            break
        if len(later) <= 2 * limit:
            return later[-limit:]
        start = middle
    return list(_until(ticks_after(expression, timezone, start), until))[-limit:]


def _until(ticks: Iterator[int], until: int) -> Iterator[int]:
    for tick in ticks:
        if tick > until:
            return
        yield tick


def _fixed(fields: str, zone: ZoneInfo, start: datetime) -> Iterator[datetime]:
    # What the clocks show at `start` may be a reading from before a jump back: begin well before it, and leave out what is past.
    wall = _reading(zone, start) - _WIDEST_CHANGE
    for reading in CronSim(fields, wall):
        moment = reading.replace(tzinfo=zone).astimezone(UTC)
        if _reading(zone, moment) != reading:  # the clocks jump over it
            moment = _first_change(zone, moment - _WIDEST_CHANGE, moment) or moment
        if moment > start:
            yield moment


def _by_real_time(fields: str, zone: ZoneInfo, start: datetime) -> Iterator[datetime]:
    while True:
        offset = _offset(zone, start)
        change: datetime | None = None
        for reading in CronSim(fields, (start + offset).replace(tzinfo=None)):
            moment = reading.replace(tzinfo=UTC) - offset
            change = _first_change(zone, start, moment)
            if change is not None:
                break
            yield moment
            start = moment
        if change is None:
            return
        start = change - _SECOND
        # From the change on the clocks read otherwise; its own moment may be a tick.
        offset = _offset(zone, change)
        first = next(CronSim(fields, (start + offset).replace(tzinfo=None)), None)
        if first is not None and first.replace(tzinfo=UTC) - offset == change:
            yield change
        start = change


def _first_change(zone: ZoneInfo, start: datetime, end: datetime) -> datetime | None:
    """Return the first moment in (start, end] from which the clocks are set otherwise, to the second."""
    low, offset = start, _offset(zone, start)
    while low < end:
        high = min(low + _STEP, end)
        if _offset(zone, high) != offset:
            while high - low > _SECOND:
                middle = low + (high - low) / 2
                middle = middle.replace(microsecond=0) if middle.replace(microsecond=0) > low else middle
                if _offset(zone, middle) == offset:
                    low = middle
                else:
                    high = middle
            return high.replace(microsecond=0)
        low = high
    return None


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _reading(zone: ZoneInfo, moment: datetime) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms // 1000, UTC)


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
