"""Which ticks are handed out: each once, in order; what was missed as its target wants it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netscript_workers.domain.target import CatchUp
from netscript_workers.scheduler.timetable import LATE_MS, MAX_CATCH_UP, Due, Missed, Schedule, Timetable

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
NOON = 1_800_014_400_000  # 2027-01-15T12:00:00Z


def each(cron: str, catch_up: CatchUp = CatchUp.LATEST, target: str = "a") -> dict[str, Schedule]:
    return {target: Schedule(target, cron, "UTC", catch_up)}


def table(schedules: dict[str, Schedule], last: dict[str, int], now: int = NOON) -> Timetable:
    made = Timetable()
    made.take(schedules, last, now)
    return made


def moments(due: list[Due]) -> list[int]:
    return [one.at - NOON for one in due]


def test_a_new_schedule_begins_with_its_next_tick():
    made = table(each("*/5 * * * *"), {"a": NOON})
    assert made.due(NOON, 10) == []
    assert made.next_at == NOON + 5 * MINUTE
    assert moments(made.due(NOON + 5 * MINUTE, 10)) == [5 * MINUTE]
    assert made.due(NOON + 5 * MINUTE, 10) == []


@pytest.mark.parametrize(
    ("catch_up", "caught_up", "missed"),
    [
        (CatchUp.LATEST, [0], Missed("a", 1, left_out=True)),
        (CatchUp.SKIP, [], Missed("a", 0, left_out=True)),
        (CatchUp.ALL, [-10 * MINUTE, -5 * MINUTE, 0], Missed("a", 3, left_out=False)),
    ],
)
def test_what_was_missed_while_nothing_ran_is_caught_up_with_as_told(catch_up, caught_up, missed):
    made = table(each("*/5 * * * *", catch_up), {"a": NOON - 15 * MINUTE})
    assert moments(made.due(NOON, 10)) == caught_up
    assert made.missed() == [missed]
    assert made.missed() == []
    assert made.next_at == NOON + 5 * MINUTE


def test_all_has_a_bound_and_says_that_older_ones_are_left_out():
    made = table(each("* * * * * *", CatchUp.ALL), {"a": NOON - HOUR})
    due = made.due(NOON, 10_000)
    assert len(due) == MAX_CATCH_UP
    assert moments(due)[-1] == 0
    assert made.missed() == [Missed("a", MAX_CATCH_UP, left_out=True)]


def test_no_more_than_the_limit_is_handed_out_at_a_time_and_the_rest_next():
    made = table(each("* * * * * *", CatchUp.ALL), {"a": NOON - 10 * SECOND})
    assert moments(made.due(NOON, 4)) == [-9 * SECOND, -8 * SECOND, -7 * SECOND, -6 * SECOND]
    assert made.next_at is not None
    assert made.next_at <= NOON
    assert len(made.due(NOON, 100)) == 6


def test_a_tick_that_is_late_by_less_than_a_minute_was_not_missed():
    made = table(each("* * * * * *", CatchUp.SKIP), {"a": NOON})
    assert len(made.due(NOON + 30 * SECOND, 100)) == 30
    assert made.missed() == []


def test_a_scheduler_that_slept_for_an_hour_has_missed_it():
    made = table(each("* * * * *"), {"a": NOON})
    assert moments(made.due(NOON + HOUR, 100)) == [HOUR]
    assert made.missed() == [Missed("a", 1, left_out=True)]


def test_a_clock_set_back_brings_nothing_again():
    made = table(each("* * * * *"), {"a": NOON})
    assert len(made.due(NOON + MINUTE, 10)) == 1
    made.take(each("* * * * *"), {"a": NOON + MINUTE}, NOON - HOUR)
    assert made.due(NOON - HOUR, 10) == []
    assert made.next_at == NOON + 2 * MINUTE


def test_what_another_scheduler_has_taken_further_goes_on_from_there():
    made = table(each("* * * * *"), {"a": NOON})
    made.take(each("* * * * *"), {"a": NOON + 3 * MINUTE}, NOON + 10 * SECOND)
    assert made.next_at == NOON + 4 * MINUTE


def test_a_changed_schedule_begins_anew_without_a_run_for_its_past():
    made = table(each("0 0 * * *"), {"a": NOON - 12 * HOUR})
    assert made.due(NOON, 10) == []
    made.take(each("* * * * *"), {"a": NOON - 12 * HOUR}, NOON)
    assert made.due(NOON, 10) == []
    assert made.next_at == NOON + MINUTE


def test_a_schedule_taken_away_has_no_ticks_any_more():
    made = table({**each("* * * * *"), **each("* * * * *", target="b")}, {"a": NOON, "b": NOON})
    made.take(each("* * * * *", target="b"), {"b": NOON}, NOON)
    assert made.due(NOON + MINUTE, 10) == [Due("b", NOON + MINUTE)]
    made.take({}, {}, NOON + MINUTE)
    assert made.next_at is None


@given(st.lists(st.integers(1, 3 * LATE_MS), max_size=30), st.integers(1, 7))
def test_no_tick_is_handed_out_twice_or_out_of_order(steps, limit):
    schedules = {**each("*/7 * * * * *", CatchUp.ALL), **each("* * * * *", CatchUp.LATEST, "b")}
    made = table(schedules, {"a": NOON, "b": NOON})
    now, seen = NOON, {"a": [NOON], "b": [NOON]}
    for step in steps:
        now += step
        for _ in range(3):
            for due in made.due(now, limit):
                assert due.at <= now
                seen[due.target].append(due.at)
    for ticks in seen.values():
        assert ticks == sorted(set(ticks))
