"""Payloads: what the second parameter's annotation makes of them, and refusals that name each field."""

import dataclasses
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, NotRequired, TypedDict
from uuid import UUID

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netscript_workers.authoring.payload import PayloadRefusedError, payload_decoder
from netscript_workers.domain.outcome import Cause, Kind
from netscript_workers.errors import DefinitionError, PayloadError
from support.authoring import handler_of, run


class Colour(Enum):
    RED = "red"


@dataclasses.dataclass
class Line:
    sku: str
    count: int = 1


@dataclasses.dataclass
class Order:
    id: UUID
    when: datetime
    lines: list[Line]
    notes: dict[str, str] = dataclasses.field(default_factory=dict)
    colour: Colour = Colour.RED


class OrderStruct(msgspec.Struct):
    order_id: str
    amount: int
    line: Line | None = None


class Renamed(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    order_id: str


class OrderDict(TypedDict):
    order_id: str
    amount: int
    memo: NotRequired[str]


class Address(pydantic.BaseModel):
    city: str


class OrderModel(pydantic.BaseModel):
    order_id: str
    amount: int
    address: Address


@pydantic.dataclasses.dataclass
class PydanticOrder:
    order_id: str


def refused(annotation: Any, payload: Any) -> str:
    with pytest.raises(PayloadRefusedError) as caught:
        payload_decoder(annotation)(msgspec.json.encode(payload))
    return str(caught.value)


def test_each_kind_of_annotation_gets_its_value():
    raw = b'{"order_id":"A","amount":3}'
    assert payload_decoder(OrderStruct)(raw) == OrderStruct("A", 3)
    assert payload_decoder(OrderDict)(raw) == {"order_id": "A", "amount": 3}
    assert payload_decoder(dict)(raw) == {"order_id": "A", "amount": 3}
    assert payload_decoder(dict[str, Any])(raw) == {"order_id": "A", "amount": 3}
    assert payload_decoder(Mapping[str, Any])(raw) == {"order_id": "A", "amount": 3}
    assert payload_decoder(Any)(raw) == {"order_id": "A", "amount": 3}
    assert payload_decoder(PydanticOrder)(b'{"order_id":"A"}') == PydanticOrder("A")
    model = payload_decoder(OrderModel)(b'{"order_id":"A","amount":3,"address":{"city":"Bern"}}')
    assert model == OrderModel(order_id="A", amount=3, address=Address(city="Bern"))


def test_a_dataclass_gets_its_nested_parts():
    order = payload_decoder(Order)(
        b'{"id":"01938f6e-0000-7000-8000-000000000001","when":"2026-01-01T00:00:00Z","lines":[{"sku":"x"}]}'
    )
    assert order.lines == [Line("x")]
    assert order.when.year == 2026
    assert isinstance(order.id, UUID)


@pytest.mark.parametrize("annotation", [OrderStruct, OrderDict, OrderModel])
def test_a_refusal_names_every_field_that_does_not_fit(annotation):
    message = refused(annotation, {"amount": "much"})
    assert annotation.__name__ in message
    assert "order_id" in message
    assert "amount" in message


def test_a_refusal_names_nested_fields_by_their_path():
    message = refused(
        Order, {"id": "no", "lines": [{"sku": "a"}, {"count": "b"}], "notes": {"x": 3}, "colour": "blue"}
    )
    for path in (
        "id: ",
        "when: required",
        "lines[1].sku: required",
        "lines[1].count: ",
        "notes.x: ",
        "colour: ",
    ):
        assert path in message
    assert "address.city" in refused(OrderModel, {"order_id": "a", "amount": 1, "address": {}})


def test_a_refusal_speaks_of_the_names_in_the_json():
    assert "orderId: required" in refused(Renamed, {})
    assert "unknown field `surprise`" in refused(Renamed, {"orderId": "x", "surprise": 1})


def test_a_refusal_of_a_thousand_fields_stays_short():
    message = refused(dict[str, int], {f"key{i}": "x" for i in range(1000)})
    assert "and 950 more" in message
    assert len(message) < 5_000


def test_constraints_of_the_annotation_are_kept():
    assert "length <= 1" in refused(Annotated[dict[str, Any], msgspec.Meta(max_length=1)], {"a": 1, "b": 2})
    bounded = msgspec.defstruct("Bounded", [("count", Annotated[int, msgspec.Meta(ge=1)])])
    assert "count: Expected `int` >= 1" in refused(bounded, {"count": 0})


def test_a_check_of_the_class_itself_is_a_refusal():
    class Positive(msgspec.Struct):
        n: int

        def __post_init__(self):
            if self.n < 0:
                raise ValueError("n must not be negative")

    assert "n must not be negative" in refused(Positive, {"n": -1})


@pytest.mark.parametrize("raw", [b"", b"{", b"[1]", b"3", b"null", b'"x"', b"\xff\xfe", b"{}garbage"])
@pytest.mark.parametrize("annotation", [OrderStruct, Order, OrderDict, OrderModel, dict, Any])
def test_what_is_no_json_object_is_refused(annotation, raw):
    with pytest.raises(PayloadError):
        payload_decoder(annotation)(raw)


def test_models_inside_other_types_are_validated_too():
    @dataclasses.dataclass
    class Holder:
        address: Address

    assert payload_decoder(Holder)(b'{"address":{"city":"Bern"}}').address == Address(city="Bern")
    assert "address" in refused(Holder, {"address": {}})
    assert payload_decoder(dict[str, Address])(b'{"a":{"city":"Bern"}}') == {"a": Address(city="Bern")}
    union = payload_decoder(OrderModel | Address)(b'{"city":"Bern"}')
    assert union == Address(city="Bern")


@pytest.mark.parametrize("annotation", [int, str, list, list[int], bytes, type("Plain", (), {})])
def test_an_annotation_that_no_object_becomes_is_refused_when_the_job_is_loaded(annotation):
    def handler(ctx, payload): ...

    handler.__annotations__["payload"] = annotation
    with pytest.raises(DefinitionError, match="payload"):
        handler_of(handler)


def test_an_annotation_written_as_text_is_resolved():
    def handler(ctx: "Unknown", order: "OrderStruct"):  # noqa: F821
        return order.amount

    assert handler_of(handler).annotation is OrderStruct


def test_an_annotation_that_cannot_be_resolved_says_how_to_mend_it():
    def handler(ctx, order: "Nowhere"): ...  # noqa: F821

    with pytest.raises(DefinitionError, match="Nowhere") as caught:
        handler_of(handler)
    assert "TYPE_CHECKING" in caught.value.hint


async def test_a_refused_payload_fails_at_once_without_retry():
    async def handler(ctx, order: OrderStruct):
        raise AssertionError("must not run")

    outcome = await run(handler, {"amount": "x"})
    assert outcome.kind is Kind.FAILED
    assert outcome.cause is Cause.FAILURE
    assert outcome.retry is False
    assert "order_id: required" in (outcome.error or "")
    assert "amount: Expected `int`" in (outcome.error or "")


def test_a_slot_without_pydantic_types_never_loads_pydantic():
    program = """
        import sys
        from netscript_workers import job, JobContext
        from netscript_workers.authoring.handler import build_handler
        @job("x")
        async def x(ctx: JobContext, payload: dict): ...
        build_handler(x, "x").decode(b'{"a": 1}')
        heavy = {"pydantic", "pydantic_settings", "typer", "rich", "sqlite3", "netscript_workers.client"}
        print(sorted(heavy & set(sys.modules)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "[]"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
names = st.sampled_from(["order_id", "amount", "line", "id", "when", "lines", "notes", "memo", "x"])


@given(payload=st.dictionaries(names, json_values))
@pytest.mark.parametrize("annotation", [OrderStruct, Order, OrderDict, OrderModel])
def test_any_object_is_taken_or_refused_with_a_reason(annotation, payload):
    refusal = ""
    try:
        assert payload_decoder(annotation)(msgspec.json.encode(payload)) is not None
    except PayloadRefusedError as error:
        refusal = str(error)
    head = f"the payload does not fit {annotation.__name__}: "
    assert refusal == "" or (refusal.startswith(head) and len(refusal) > len(head))


@given(raw=st.binary(max_size=64))
@pytest.mark.parametrize("annotation", [OrderStruct, OrderModel, dict])
def test_any_bytes_are_taken_or_refused(annotation, raw):
    try:
        value = payload_decoder(annotation)(raw)
    except PayloadError:
        return
    assert isinstance(value, (annotation if isinstance(annotation, type) else dict))
