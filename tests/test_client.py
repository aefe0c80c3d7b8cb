"""The client, over the memory engine."""

import asyncio
import dataclasses
from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pydantic
import pytest

from netscript_workers import Client, Trigger, job
from netscript_workers.domain.execution import Enqueued, NewExecution, Status
from netscript_workers.engines.memory import MemoryEngine
from netscript_workers.errors import (
    EngineError,
    PayloadError,
    UnknownTargetError,
    UsageError,
)
from netscript_workers.testing.handlers import catalog_of


class Order(pydantic.BaseModel):
    order_id: str
    amount: int


@dataclasses.dataclass
class Note:
    text: str


@job("bill", topic="bills", priority=70, max_retries=4)
async def bill(ctx, order: Order):
    return {"billed": order.order_id}


@job("note")
def note(ctx):
    ctx.log.info("noted %s", ctx.payload)


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
async def client():
    async with Client(engine=MemoryEngine(), catalog=catalog_of([bill, note])) as opened:
        yield opened


async def test_a_trigger_enqueues_what_the_target_says(client):
    enqueued = await client.trigger("bill", {"order_id": "A", "amount": 1})
    assert enqueued.deduplicated is False
    record = await client.get(enqueued.id)
    assert (record.target, record.topic, record.priority, record.max_attempts) == ("bill", "bills", 70, 5)
    assert record.status is Status.QUEUED
    assert record.decoded_payload() == {"order_id": "A", "amount": 1}


async def test_everything_a_trigger_may_say_arrives(client):
    enqueued = await client.trigger(
        "note",
        {"a": 1},
        priority=3,
        delay="10m",
        idempotency_key="k",
        correlation_id="c",
        traceparent=TRACE,
        tracestate="vendor=1",
    )
    record = await client.get(enqueued.id)
    assert (record.priority, record.status, record.idempotency_key) == (3, Status.PENDING, "k")
    assert (record.correlation_id, record.traceparent, record.tracestate) == ("c", TRACE, "vendor=1")
    again = await client.trigger("note", {"a": 1}, idempotency_key="k")
    assert again == Enqueued(enqueued.id, deduplicated=True)


@pytest.mark.parametrize(
    "payload",
    [
        {"text": "x"},
        Note("x"),
        msgspec.defstruct("S", ["text"])("x"),
        pydantic.create_model("M", text=str)(text="x"),
    ],
)
async def test_anything_whose_json_is_an_object_is_a_payload(client, payload):
    enqueued = await client.trigger("note", payload)
    assert (await client.get(enqueued.id)).decoded_payload() == {"text": "x"}


async def test_no_payload_is_an_empty_object(client):
    assert (await client.get((await client.trigger("note")).id)).payload == b"{}"


@pytest.mark.parametrize("payload", [[1], "text", 3, True, {"x": object()}, {"x": float("nan")}])
async def test_what_is_no_json_object_is_refused(client, payload):
    with pytest.raises(PayloadError, match="'note'"):
        await client.trigger("note", payload)


async def test_a_payload_of_the_wrong_shape_is_refused_at_enqueue_naming_each_field(client):
    with pytest.raises(PayloadError) as caught:
        await client.trigger("bill", {"amount": "much"})
    assert "order_id" in str(caught.value)
    assert "amount" in str(caught.value)
    assert await client.executions() == []


async def test_a_payload_that_is_too_large_is_refused():
    async with Client(engine=MemoryEngine(), catalog=catalog_of([note]), max_payload_bytes=100) as client:
        await client.trigger("note", {"x": "a" * 92})
        with pytest.raises(PayloadError, match=r"101 bytes, over max_payload_bytes \(100\)"):
            await client.trigger("note", {"x": "a" * 93})


async def test_an_unknown_target_is_refused_with_the_nearest_ids(client):
    with pytest.raises(UnknownTargetError, match="Did you mean bill"):
        await client.trigger("bil")
    with pytest.raises(UnknownTargetError):
        await client.trigger("../etc")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"priority": 101}, "priority must be"),
        ({"priority": True}, "priority must be"),
        ({"delay": "soon"}, "delay 'soon' is no duration"),
        ({"delay": -1}, "delay -1 is negative"),
        ({"idempotency_key": ""}, "idempotency_key must be text"),
        ({"idempotency_key": "x" * 600}, "idempotency_key must be text"),
        ({"correlation_id": 3}, "correlation_id must be text"),
        ({"correlation_id": "\udc80"}, "has no UTF-8 form"),
        ({"traceparent": "x"}, "traceparent 'x' is none"),
    ],
)
async def test_a_wrong_option_is_refused(client, options, words):
    with pytest.raises(UsageError, match=words):
        await client.trigger("note", **options)


async def test_a_delay_may_be_a_timedelta(client):
    record = await client.get((await client.trigger("note", delay=timedelta(hours=1))).id)
    assert record.status is Status.PENDING


async def test_many_payloads_of_one_target_are_enqueued_in_order(client):
    answers = await client.trigger_many("note", ({"n": n} for n in range(2_500)), priority=1)
    assert len({answer.id for answer in answers}) == 2_500
    assert [answer.id for answer in answers] == sorted(answer.id for answer in answers)
    last = await client.get(answers[-1].id)
    assert (last.decoded_payload(), last.priority) == ({"n": 2_499}, 1)


async def test_many_triggers_of_several_targets_are_enqueued(client):
    answers = await client.trigger_many(
        [
            Trigger("note", {"n": 1}, idempotency_key="k"),
            Trigger("bill", Order(order_id="A", amount=1)),
            Trigger("note", idempotency_key="k"),
        ]
    )
    assert [answer.deduplicated for answer in answers] == [False, False, True]
    assert answers[0].id == answers[2].id


async def test_one_bad_trigger_among_many_enqueues_none(client):
    with pytest.raises(PayloadError):
        await client.trigger_many("note", [{"n": 1}, "no object"])
    assert await client.executions() == []


async def test_nothing_to_enqueue_is_no_error(client):
    assert await client.trigger_many([]) == []


async def test_trigger_many_says_how_it_is_called(client):
    with pytest.raises(UsageError, match="needs the payloads"):
        await client.trigger_many("note")
    with pytest.raises(UsageError, match="nothing beside them"):
        await client.trigger_many([Trigger("note")], priority=3)
    with pytest.raises(UsageError, match="or Triggers, not 3"):
        await client.trigger_many([3])


class SlowEngine(MemoryEngine):
    """Counts its calls, and answers none before `go` is set."""

    def __init__(self):
        super().__init__()
        self.batches: list[int] = []
        self.go = asyncio.Event()
        self.broken = False

    async def enqueue_many(self, requests: Sequence[NewExecution]) -> list[Enqueued]:
        self.batches.append(len(requests))
        await self.go.wait()
        if self.broken:
            raise EngineError("the store failed")
        return await super().enqueue_many(requests)


async def test_concurrent_triggers_share_their_round_trips():
    engine = SlowEngine()
    async with Client(engine=engine, catalog=catalog_of([note])) as client:
        tasks = [asyncio.ensure_future(client.trigger("note", {"n": n})) for n in range(100)]
        while not engine.batches:
            await asyncio.sleep(0)
        tasks += [asyncio.ensure_future(client.trigger("note", {"n": n})) for n in range(100, 150)]
        await asyncio.sleep(0)
        engine.go.set()
        answers = await asyncio.gather(*tasks)
    assert len({answer.id for answer in answers}) == 150
    assert len(engine.batches) == 2
    assert sum(engine.batches) == 150


async def test_an_error_of_the_store_reaches_every_caller_and_the_client_goes_on():
    engine = SlowEngine()
    engine.broken = True
    engine.go.set()
    async with Client(engine=engine, catalog=catalog_of([note])) as client:
        failed = await asyncio.gather(*(client.trigger("note") for _ in range(3)), return_exceptions=True)
        assert [type(error) for error in failed] == [EngineError] * 3
        engine.broken = False
        assert (await client.trigger("note")).deduplicated is False


async def test_closing_lets_what_is_on_its_way_arrive():
    engine = SlowEngine()
    client = Client(engine=engine, catalog=catalog_of([note]))
    await client.open()
    task = asyncio.ensure_future(client.trigger("note"))
    while not engine.batches:
        await asyncio.sleep(0)
    closing = asyncio.ensure_future(client.close())
    await asyncio.sleep(0)
    engine.go.set()
    await closing
    assert (await engine.get_many([(await task).id]))[0] is not None


async def test_a_client_that_is_not_open_says_how_to_open_it():
    client = Client(engine=MemoryEngine(), catalog=catalog_of([note]))
    with pytest.raises(UsageError, match="async with"):
        await client.trigger("note")
    await client.open()
    await client.open()
    await client.trigger("note")
    await client.close()
    await client.close()
    with pytest.raises(UsageError, match="not open"):
        await client.executions()
