import pytest
from hypothesis import given
from hypothesis import strategies as st

from netscript_workers.domain.size import MAX_SIZE, SizeError, format_size, parse_size, show_size


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (0, 0),
        (5, 5),
        ("512", 512),
        ("256M", 256 << 20),
        ("2GiB", 2 << 30),
        ("1 kb", 1024),
        ("3B", 3),
        ("1T", 1 << 40),
    ],
)
def test_sizes_are_read(value, size):
    assert parse_size(value) == size


@pytest.mark.parametrize("value", [True, 1.5, "1.5M", "M", "", "-1", -1, None, "1 MegaByte", "2000T"])
def test_what_is_no_size_is_refused(value):
    with pytest.raises(SizeError):
        parse_size(value)


@given(st.integers(0, MAX_SIZE))
def test_what_is_written_reads_back_as_the_same(size):
    assert parse_size(format_size(size)) == size


def test_people_read_sizes_in_the_unit_that_fits():
    assert [show_size(size) for size in (0, 1023, 1024, 4_613_735, 2 << 30)] == [
        "0B",
        "1023B",
        "1K",
        "4.4M",
        "2G",
    ]
