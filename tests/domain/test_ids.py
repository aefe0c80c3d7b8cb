"""Execution ids sort by birth; target ids are kebab-case."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netscript_workers.domain.ids import IdFactory, is_execution_id, is_target_id, kebab


@given(st.lists(st.integers(0, (1 << 48) - 2), min_size=1, max_size=30))
def test_ids_of_one_process_only_ever_rise_even_when_the_clock_goes_back(times):
    factory = IdFactory()
    ids = [factory.new(time) for time in times]
    assert ids == sorted(set(ids))
    assert all(is_execution_id(one) for one in ids)


@given(st.integers(0, (1 << 48) - 2))
def test_an_id_is_a_uuid_of_version_seven_that_tells_its_millisecond(time):
    one = uuid.UUID(IdFactory().new(time))
    assert (one.version, one.variant) == (7, uuid.RFC_4122)
    assert one.int >> 80 == time


def test_many_ids_at_once_rise_and_stay_behind_the_earlier_ones():
    factory = IdFactory()
    first = factory.new(5)
    many = factory.new_many(5, 1_000)
    last = factory.new(5)
    assert [first, *many, last] == sorted({first, *many, last})


@pytest.mark.parametrize("text", ["a", "send-mail", "a1-b2", "x" * 128])
def test_kebab_case_is_a_target_id(text):
    assert is_target_id(text)


@pytest.mark.parametrize(
    "text", ["", "-a", "a-", "a--b", "A", "a_b", "a/b", "..", "a.b", "x" * 129, "a\n", "é"]
)
def test_anything_else_is_not(text):
    assert not is_target_id(text)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("process_payment", "process-payment"),
        ("ProcessPayment", "process-payment"),
        ("a", "a"),
        ("__x__", "x"),
        ("v2_send", "v2-send"),
    ],
)
def test_names_become_kebab_case(name, expected):
    assert kebab(name) == expected


@given(st.text(max_size=40))
def test_kebab_gives_a_target_id_or_nothing(text):
    assert kebab(text) == "" or is_target_id(kebab(text))
