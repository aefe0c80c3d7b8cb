"""Ticks: every moment that fits and no other, also where the clocks change."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from netscript_workers.domain.schedule import expand_cron
from netscript_workers.domain.ticks import clock_change, is_fixed, latest_ticks, next_tick, ticks_after

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour
    "Asia/Kathmandu",  # an odd offset
    "Africa/Casablanca",  # two changes a month apart
    "America/Sao_Paulo",  # once at midnight
    "Pacific/Apia",  # once left out a whole day
]
minutes = st.sampled_from(["*", "*/15", "0", "30", "5,35", "10-20/5", "59"])
hours = st.sampled_from(["*", "*/2", "0", "2", "1,2,3", "23", "1-4"])
days = st.sampled_from(
    [("*", "*"), ("1", "*"), ("L", "*"), ("*", "1-5"), ("*", "sun"), ("*", "5L"), ("*", "mon#1"), ("LW", "*")]
)
crons = st.builds(lambda m, h, d: f"{m} {h} {d[0]} * {d[1]}", minutes, hours, days)
starts = st.integers(1_322_700_000, 1_893_400_000).map(
    lambda seconds: seconds * 1000
)  # December 2011 to 2029
# Around changes of the clocks of the zones above, where mistakes live.
_CHANGES = (1774746000, 1792890000, 1772953200, 1793512800, 1775314800, 1791041400)
changes = st.builds(lambda at, by: (at + by * 60) * 1000, st.sampled_from(_CHANGES), st.integers(-600, 600))


def ms(moment: datetime) -> int:
    return round(moment.timestamp()) * 1000


def local(at: int, zone: str) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(zone)).isoformat(timespec="minutes")


def some(cron: str, zone: str, start: str, count: int) -> list[str]:
    after = ms(datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(zone)))
    return [local(at, zone) for at in islice(ticks_after(cron, zone, after), count)]


@pytest.mark.parametrize(
    ("cron", "zone", "start", "expected"),
    [
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T03:00",
            ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"],
        ),
        (
            "0 30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T03:00",
            ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"],
        ),
        (
            "0,30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T03:00",
            ["2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00"],
        ),
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T03:00",
            ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"],
        ),
        (
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T03:00",
            ["2026-10-04T02:30+11:00", "2026-10-05T02:15+11:00"],
        ),
        (
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-03-29T01:15",
            ["2026-03-29T01:30+01:00", "2026-03-29T03:00+02:00"],
        ),
        (
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-10-25T02:15",
            [
                "2026-10-25T02:30+02:00",
                "2026-10-25T02:00+01:00",
                "2026-10-25T02:30+01:00",
                "2026-10-25T03:00+01:00",
            ],
        ),
        ("0 0 L * *", "UTC", "2024-02-01T00:00", ["2024-02-29T00:00+00:00", "2024-03-31T00:00+00:00"]),
        ("0 9 * * mon#1", "UTC", "2026-11-24T00:00", ["2026-12-07T09:00+00:00", "2027-01-04T09:00+00:00"]),
        ("0 9 * * 5L", "UTC", "2026-11-01T00:00", ["2026-11-27T09:00+00:00", "2026-12-25T09:00+00:00"]),
        ("@weekly", "UTC", "2026-11-24T00:00", ["2026-11-29T00:00+00:00", "2026-12-06T00:00+00:00"]),
    ],
)
def test_known_moments(cron, zone, start, expected):
    assert some(cron, zone, start, len(expected)) == expected


@given(crons, st.sampled_from(ZONES), starts | changes)
def test_by_real_time_every_moment_whose_reading_fits_is_a_tick_and_no_other(cron, zone, start):
    fields = expand_cron(cron)
    if is_fixed(fields):
        return
    until = start + 6 * 3_600_000
    readings = [
        at for at in range(start // 60_000 * 60_000 + 60_000, until + 1, 60_000) if fits(fields, zone, at)
    ]
    ticks = [at for at in islice(ticks_after(cron, zone, start), len(readings) + 1) if at <= until]
    assert ticks == readings


@given(crons, st.sampled_from(ZONES), starts | changes)
def test_at_fixed_times_each_reading_of_the_clock_runs_once(cron, zone, start):
    fields = expand_cron(cron)
    if not is_fixed(fields):
        return
    until = start + 3 * 86_400_000
    ticks = []
    for at in ticks_after(cron, zone, start):
        if at > until:
            break
        ticks.append(at)
    tz = ZoneInfo(zone)
    wall = datetime.fromtimestamp(start / 1000, UTC).astimezone(tz).replace(tzinfo=None) - timedelta(days=2)
    expected = set()
    for reading in CronSim(fields, wall):
        moment = ms(reading.replace(tzinfo=tz))
        if datetime.fromtimestamp(moment / 1000, UTC).astimezone(tz).replace(tzinfo=None) != reading:
            moment = next(
                at
                for at in range(moment - 26 * 3_600_000, moment + 60_000, 60_000)
                if jumped(tz, at, reading)
            )
        if moment > until:
            break
        if moment > start:
            expected.add(moment)
    assert ticks == sorted(expected)


@given(crons, st.sampled_from(ZONES), starts | changes)
def test_ticks_go_forward_and_begin_anywhere_alike(cron, zone, start):
    ticks = list(islice(ticks_after(cron, zone, start), 20))
    assert ticks == sorted(set(ticks))
    assert all(at > start for at in ticks)
    for before, after in pairwise(ticks):
        assert next_tick(cron, zone, before) == after
        assert next_tick(cron, zone, after - 1) == after


@given(crons, starts)
def test_in_utc_a_peer_agrees(cron, start):
    fields = cron.split()
    if "W" in cron or "L" in cron or "#" in cron or (fields[2] != "*" and fields[4] != "*"):
        return  # the peers write these otherwise, or read them otherwise
    peer = croniter(cron, datetime.fromtimestamp(start / 1000, UTC))
    assert list(islice(ticks_after(cron, "UTC", start), 10)) == [
        ms(peer.get_next(datetime)) for _ in range(10)
    ]


@given(
    crons | st.just("* * * * * *"),
    st.sampled_from(ZONES),
    starts,
    st.integers(0, 20_000_000),
    st.integers(1, 50),
)
def test_the_latest_ticks_are_the_end_of_all_ticks(cron, zone, start, length, limit):
    until = start + length
    every = []
    for at in ticks_after(cron, zone, start):
        if at > until:
            break
        every.append(at)
    assert latest_ticks(cron, zone, start, until, limit) == every[-limit:]


def test_a_month_of_seconds_is_looked_through_from_its_end():
    now = 1_800_000_000_000
    found = latest_ticks("* * * * * *", "Europe/Berlin", now - 30 * 86_400_000, now, 1000)
    assert found == list(range(now - 999_000, now + 1, 1000))


def test_a_change_of_the_clocks_is_found_with_its_size():
    at = ms(datetime(2026, 3, 29, 1, tzinfo=UTC))
    assert clock_change("Europe/Berlin", at - 86_400_000 * 3, at + 5) == (at, 3_600_000)
    assert clock_change("Europe/Berlin", at, at + 86_400_000) is None


def fits(fields: str, zone: str, at: int) -> bool:
    reading = datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return next(CronSim(fields, reading - timedelta(seconds=1))) == reading


def jumped(tz: ZoneInfo, at: int, reading: datetime) -> bool:
    """Tell whether the clocks show more than `reading` at `at`, and less just before it."""
    now = datetime.fromtimestamp(at / 1000, UTC).astimezone(tz).replace(tzinfo=None)
    before = datetime.fromtimestamp(at / 1000 - 1, UTC).astimezone(tz).replace(tzinfo=None)
    return before < reading < now
