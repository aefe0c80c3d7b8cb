import pytest

from netscript_workers.domain.schedule import ScheduleError, check_timezone, expand_cron, shortest_period_ms

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


@pytest.mark.parametrize(
    "expression", ["* * * * *", "*/5 0-6 1,15 JAN-mar MON#1", "30 * * * * *", "0 0 L * *", "@Hourly"]
)
def test_cron_expressions_are_accepted(expression):
    assert expand_cron(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * *",
        "* * * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "a b c d e",
        "@reboot",
        "*/0 * * * *",
        "0 0 30 2 *",
    ],
)
def test_what_is_no_cron_expression_is_refused(expression):
    with pytest.raises(ScheduleError):
        expand_cron(expression)


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"])
def test_timezones_are_known(name):
    assert check_timezone(name) == name


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "Europe", "UTC+1\0"])
def test_what_is_no_timezone_is_refused(name):
    with pytest.raises(ScheduleError):
        check_timezone(name)


@pytest.mark.parametrize(
    ("expression", "period"),
    [
        ("* * * * *", MINUTE),
        ("*/15 * * * *", 15 * MINUTE),
        ("10 * * * * *", MINUTE),
        ("*/10 * * * * *", 10_000),
        ("0 9,10,17 * * *", HOUR),
        ("0 0 29 2 *", 4 * 365 * DAY + DAY),
        ("@daily", DAY),
    ],
)
def test_the_shortest_period_is_found(expression, period):
    assert shortest_period_ms(expression) == period


def test_a_day_of_23_hours_makes_a_daily_schedule_shorter():
    assert shortest_period_ms("0 12 * * *", "Europe/Berlin") == 23 * HOUR
