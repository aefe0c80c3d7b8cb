"""What follows the end of a child."""

import pytest

from netscript_workers.supervisor.restarts import (
    BUDGET,
    BUDGET_WINDOW_S,
    MOST_DELAY_S,
    Ending,
    Restarts,
    ending_of,
)


@pytest.mark.parametrize(
    ("code", "was_up", "ending"),
    [
        (78, False, Ending.BOOT),
        (0, False, Ending.BOOT),
        (-9, False, Ending.BOOT),
        (0, True, Ending.LEFT),
        (70, True, Ending.CRASH),
        (-9, True, Ending.CRASH),
    ],
)
def test_a_boot_failure_is_told_from_a_crash_and_from_an_end_in_order(code, was_up, ending):
    assert ending_of(code, was_up=was_up) is ending


def test_an_end_in_order_is_followed_by_a_start_at_once_and_costs_nothing():
    books = Restarts()
    for _ in range(BUDGET * 3):
        assert books.ended(0, was_up=True, lived_s=1.0, now=0.0).delay_s == 0.0
    assert books.count == BUDGET * 3


def test_delays_grow_to_a_bound_and_begin_anew_after_a_minute_of_work():
    books = Restarts()
    delays = [books.ended(-9, was_up=True, lived_s=1.0, now=1000.0 * n).delay_s for n in range(12)]
    assert delays[:4] == [0.25, 0.5, 1.0, 2.0]
    assert delays[-1] == MOST_DELAY_S
    assert books.ended(-9, was_up=True, lived_s=61.0, now=99_000.0).delay_s == 0.25


def test_too_many_crashes_within_the_window_use_the_budget_up():
    books = Restarts()
    verdicts = [books.ended(-9, was_up=True, lived_s=1.0, now=float(n)) for n in range(BUDGET + 1)]
    assert all(verdict.delay_s is not None for verdict in verdicts[:-1])
    assert verdicts[-1].delay_s is None


def test_crashes_far_apart_do_not_use_the_budget_up():
    books = Restarts()
    for n in range(BUDGET * 3):
        now = n * BUDGET_WINDOW_S / BUDGET * 1.1
        assert books.ended(-11, was_up=True, lived_s=50.0, now=now).delay_s is not None


@pytest.mark.parametrize("code", [69, 78])
def test_a_server_that_is_away_or_a_config_that_broke_meanwhile_is_tried_again_for_ever(code):
    books = Restarts()
    for n in range(BUDGET * 5):
        verdict = books.ended(code, was_up=False, lived_s=1.0, now=float(n))
        assert verdict.delay_s is not None
        assert verdict.delay_s <= MOST_DELAY_S
