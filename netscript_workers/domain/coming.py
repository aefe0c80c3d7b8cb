"""The coming ticks of a target, as a person wants to see them: in its own timezone, with what is odd about each."""

from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

import msgspec

from netscript_workers.domain.duration import format_duration
from netscript_workers.domain.schedule import expand_cron
from netscript_workers.domain.target import Target
from netscript_workers.domain.ticks import clock_change, is_fixed, ticks_after


class ComingTick(msgspec.Struct, frozen=True, kw_only=True):
    """One tick: `at` in ms since 1970, `local` the reading of the clocks there (ISO 8601), `notes` what is odd about it."""

    at: int
    local: str
    notes: tuple[str, ...] = ()


def coming_ticks(target: Target, after: int, count: int) -> list[ComingTick]:
    """Return the next `count` ticks of `target` later than `after`; fewer when no more come within 50 years."""
    if target.schedule is None:
        return []
    zone = ZoneInfo(target.timezone)
    found: list[ComingTick] = []
    before: int | None = None
    for at in islice(ticks_after(target.schedule, target.timezone, after), count):
        local = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone)
        notes = (*_clock_notes(target, before or after, at, local), *_overlap(target, before, at))
        found.append(ComingTick(at=at, local=local.isoformat(timespec="seconds"), notes=notes))
        before = at
    return found


def _clock_notes(target: Target, before: int, at: int, local: datetime) -> list[str]:
    fixed = is_fixed(expand_cron(target.schedule or ""))
    change = clock_change(target.timezone, before, at)
    notes: list[str] = []
    if change is not None:
        way = "forward" if change[1] > 0 else "back"
        when = datetime.fromtimestamp(change[0] / 1000, UTC).astimezone(local.tzinfo)
        notes.append(
            f"the clocks go {way} {format_duration(abs(change[1]))} before it, to {when:%Y-%m-%d %H:%M}"
        )
        if fixed and change[1] > 0 and change[0] == at:
            notes.append("its own time is jumped over that day: it runs right after the jump")
    if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        notes.append(
            "the clocks show this time twice: it runs the first time"
            if fixed
            else "the clocks show this time twice"
        )
    return notes


def _overlap(target: Target, before: int | None, at: int) -> list[str]:
    if before is None or at - before >= target.timeout:
        return []
    limit = target.max_concurrency
    after = (
        "waits for it"
        if limit == 1
        else "runs beside it"
        if limit is None
        else f"runs beside it, {limit} at the most"
    )
    return [
        f"the run before it may take until then (timeout {format_duration(target.timeout)}), and this one {after}"
    ]
