import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netscript_workers.domain.duration import MAX_DURATION_MS, DurationError, format_duration, parse_duration


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        (0, 0),
        (1500, 1500),
        ("250ms", 250),
        ("30s", 30_000),
        ("5m", 300_000),
        ("1h", 3_600_000),
        ("1d", 86_400_000),
        ("2w", 1_209_600_000),
        ("1h30m", 5_400_000),
        (" 30s ", 30_000),
    ],
)
def test_durations_are_read(value, milliseconds):
    assert parse_duration(value) == milliseconds


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        1.0,
        "1.5s",
        "30",
        "",
        "s",
        "30 s",
        "-1s",
        -1,
        None,
        [],
        "1m1h",
        "1s1s",
        "10y",
        "99999d",
        "٣s"[:0],
    ],
)
def test_what_is_no_duration_is_refused(value):
    with pytest.raises(DurationError):
        parse_duration(value)


def test_a_bare_number_as_text_is_refused_with_both_ways_to_write_it():
    with pytest.raises(DurationError, match=r"write 30 without quotes for milliseconds, or “30s”"):
        parse_duration("30")


@given(st.integers(0, MAX_DURATION_MS))
def test_what_is_written_reads_back_as_the_same(milliseconds):
    assert parse_duration(format_duration(milliseconds)) == milliseconds


@given(st.text(max_size=10))
def test_no_text_does_worse_than_be_refused(text):
    with contextlib.suppress(DurationError):
        assert 0 <= parse_duration(text) <= MAX_DURATION_MS
