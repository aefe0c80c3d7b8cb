"""Schedules: cron expressions of five or six fields, `@hourly` and friends, and IANA timezones."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

_NICKNAMES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_SAMPLE_START: Final = datetime(2024, 1, 1, tzinfo=UTC)  # a leap year: 29 February has its tick
_SAMPLE_TICKS: Final = 400


class ScheduleError(ValueError):
    """A cron expression or a timezone is wrong; the message says which part."""


def expand_cron(expression: str) -> str:
    """Return the five or six fields that `expression` stands for; raises `ScheduleError` when it is no cron expression.

    Six fields begin with the seconds. Names of days and months are English, three letters, in any case.
    """
    text = expression.strip()
    if text.startswith("@"):
        fields = _NICKNAMES.get(text.lower())
        if fields is None:
            raise ScheduleError(f"{text} is not among the nicknames {', '.join(_NICKNAMES)}")
        return fields
    count = len(text.split())
    if count not in (5, 6):
        raise ScheduleError(
            f"has {count} fields; write five (minute hour day month weekday) or six (seconds first)"
        )
    try:
        ticks = CronSim(text, _SAMPLE_START)
    except CronSimError as error:
        raise ScheduleError(f"is no cron expression: {str(error).lower()}") from error
    try:
        next(ticks)
    except StopIteration:
        raise ScheduleError("never comes due: no day fits it") from None
    return text


def check_timezone(name: str) -> str:
    """Return `name` when it is an IANA timezone, else raise `ScheduleError`."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ScheduleError(f"{name!r} is no IANA timezone, such as “Europe/Berlin” or “UTC”") from None
    return name


@lru_cache(maxsize=256)
def shortest_period_ms(expression: str, timezone: str = "UTC") -> int | None:
    """Return the shortest time between two ticks, found in a sample of them; None when there is only one in 50 years."""
    ticks = CronSim(expand_cron(expression), _SAMPLE_START.astimezone(ZoneInfo(timezone)))
    shortest: float | None = None
    before: datetime | None = None
    for _, tick in zip(range(_SAMPLE_TICKS), ticks, strict=False):
        moment = tick.astimezone(UTC)
        if before is not None:
            gap = (moment - before).total_seconds()
            shortest = gap if shortest is None else min(shortest, gap)
        before = moment
    return None if shortest is None else round(shortest * 1000)
