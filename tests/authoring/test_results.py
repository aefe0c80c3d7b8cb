"""Results: what becomes JSON, and complaints that name the type and the path of what does not."""

import dataclasses
import json
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from uuid import UUID

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netscript_workers.authoring.encode import UnencodableResultError, encode_result


class Colour(Enum):
    RED = "red"


class Point(msgspec.Struct):
    x: int
    extra: object = None


class Model(pydantic.BaseModel):
    when: datetime
    inner: list[int] = []


@dataclasses.dataclass
class Holder:
    item: object


class Strange: ...


def complaint(value):
    with pytest.raises(UnencodableResultError) as caught:
        encode_result(value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ({"a": [1, 2.5, True, None, "x"]}, {"a": [1, 2.5, True, None, "x"]}),
        ((1, 2), [1, 2]),
        (Decimal("1.50"), "1.50"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00Z"),
        (Colour.RED, "red"),
        (b"\x00\xff", "AP8="),
        (Point(1), {"x": 1, "extra": None}),
        (Holder(Point(1)), {"item": {"x": 1, "extra": None}}),
        (Model(when=datetime(2026, 1, 1, tzinfo=UTC)), {"when": "2026-01-01T00:00:00Z", "inner": []}),
        ({1: "a"}, {"1": "a"}),
        (2**70, 2**70),
    ],
)
def test_values_have_their_json(value, expected):
    assert json.loads(encode_result(value)) == expected


def test_a_set_becomes_a_list():
    assert sorted(json.loads(encode_result({3, 1, 2}))) == [1, 2, 3]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Strange(), "test_results.Strange has no JSON form"),
        ({"items": [0, {"when": Strange()}]}, "$.items[1].when: object of type"),
        (Holder([Strange()]), "$.item[0]: object of type"),
        (Point(1, Strange()), "$.extra: object of type"),
        (Model.model_construct(when=Strange()), "$"),
        ({"n": float("nan")}, "$.n: float nan has no JSON form"),
        ([None, {"deep": (1.0, float("-inf"))}], "$[1].deep[1]: float -inf has no JSON form"),
        (Point(1, float("inf")), "$.extra: float inf has no JSON form"),
        ({(1, 2): "x"}, "key (1, 2)"),
        ("\udc80", "$: "),
        (lambda: 1, "function"),
    ],
)
def test_what_has_no_json_is_named_with_its_path(value, words):
    assert words in complaint(value)


def test_a_value_that_holds_itself_is_refused():
    loop: dict = {}
    loop["self"] = [loop]
    assert "refers to itself" in complaint(loop)


def test_nesting_without_end_is_refused():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    assert "nested too deeply" in complaint(deep)


def test_a_null_beside_finite_numbers_is_no_complaint():
    assert encode_result({"a": None, "b": 1.5}) == b'{"a":null,"b":1.5}'


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=15,
)


@given(json_values)
def test_every_json_value_comes_back_as_it_was(value):
    assert json.loads(encode_result(value)) == value


@given(json_values, st.sampled_from([Strange(), float("nan"), float("inf")]), st.lists(st.text(), max_size=3))
def test_one_bad_leaf_anywhere_is_found(value, leaf, path):
    tree = leaf
    for key in path:
        tree = {key: [value, tree]}
    assert "has no JSON form" in complaint(tree)
