"""What other programs put into our queue in RabbitMQ becomes an execution, or a dead letter with its bytes."""

import asyncio
import json

import pamqp.body
import pamqp.frame
import pamqp.header
import pytest
from pamqp import commands

from contracts.amqp import amqp_engines, bare_link, queue_name
from contracts.engines import BOUND_MS, Clock, claim, claimed_ids, new, put
from netscript_workers.domain.execution import Concept, TriggeredBy
from netscript_workers.domain.ids import born_at
from netscript_workers.engines.amqp.messages import Outgoing
from netscript_workers.engines.deno_kv import DenoKvEngine
from netscript_workers.errors import EngineError
from netscript_workers.ports.queue_admin import DeadFilter

pytestmark = pytest.mark.services
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def name():
    return queue_name()


@pytest.fixture
async def engine(rabbitmq_server, tmp_path, name):
    store = DenoKvEngine(tmp_path / "records.db", "jobs", Clock())
    async with amqp_engines(rabbitmq_server, store, name=name) as (one,):
        assert await claim(one) == []  # it serves the queue from now on
        yield one


async def publish(server, queue, *bodies, message_id=None):
    async with bare_link(server) as link:
        await link.call(commands.Queue.Declare(queue=queue, passive=True))
        if message_id is None:
            await link.publish([Outgoing(queue, body) for body in bodies])
            return
        for body in bodies:
            properties = commands.Basic.Properties(message_id=message_id)
            frames = [
                commands.Basic.Publish(routing_key=queue),
                pamqp.header.ContentHeader(body_size=len(body), properties=properties),
                pamqp.body.ContentBody(body),
            ]
            link.send(*frames)
        await link.call(commands.Queue.Declare(queue=queue, passive=True))


async def until(holds):
    async with asyncio.timeout(BOUND_MS / 1000):
        while not (found := await holds()):
            await asyncio.sleep(0.01)
    return found


async def test_a_job_of_another_program_is_run(engine, rabbitmq_server, name):
    message = {
        "jobId": "mail",
        "payload": {"to": "x"},
        "priority": 80,
        "correlationId": "c",
        "idempotencyKey": "k",
    }
    await publish(rabbitmq_server, name, json.dumps(message).encode())
    (execution,) = await until(lambda: claim(engine))
    assert (execution.target, execution.concept, execution.priority) == ("mail", Concept.JOB, 80)
    assert (execution.correlation_id, execution.idempotency_key) == ("c", "k")
    assert execution.decoded_payload() == {"to": "x"}
    assert execution.triggered_by is TriggeredBy.QUEUE


async def test_the_envelope_of_netscript_is_opened_with_its_trace(engine, rabbitmq_server, name):
    envelope = {
        "__envelope_version": 1,
        "payload": {"taskId": "report", "payload": {"a": 1}},
        "headers": {"traceparent": TRACE},
    }
    await publish(rabbitmq_server, name, json.dumps(envelope).encode())
    (execution,) = await until(lambda: claim(engine))
    assert (execution.target, execution.concept, execution.traceparent) == ("report", Concept.TASK, TRACE)


async def test_its_arrival_wakes_a_waiting_worker(engine, rabbitmq_server, name):
    waiting = asyncio.create_task(engine.wait_for_work(["default"], BOUND_MS))
    await publish(rabbitmq_server, name, b'{"jobId":"mail"}')
    await asyncio.wait_for(waiting, BOUND_MS / 2000)
    assert len(await claim(engine)) == 1


async def test_garbage_becomes_a_dead_letter_with_its_bytes(engine, rabbitmq_server, name):
    deep = b'{"jobId":"a","payload":{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}}"
    lone = b'{"jobId":"a","correlationId":"\\ud800"}'
    both = b'{"jobId":"a","taskId":"b"}'
    bodies = [deep, lone, both, b"\x00\xffnot ours", b"[1]", b'{"jobId":"a","priority":999}', b""]
    await publish(rabbitmq_server, name, *bodies)

    async def all_buried():
        letters = await engine.dead_letters(DeadFilter(), None)
        return letters if len(letters) == len(bodies) else None

    letters = await until(all_buried)
    assert sorted(letter.raw for letter in letters) == sorted(bodies)
    assert all(name in letter.reason for letter in letters)


async def test_garbage_in_a_ready_queue_is_no_ticket(engine, rabbitmq_server, name):
    await engine.wait_for_work(["default"], 1)  # the queue is there
    await publish(rabbitmq_server, f"{name}.ready.default", b"what is this", b'{"jobId":"mail"}')
    waiting = asyncio.create_task(engine.wait_for_work(["default"], BOUND_MS))
    (execution,) = await until(lambda: claim(engine))
    assert execution.target == "mail"
    await until(engine.count_dead)
    waiting.cancel()
    await asyncio.wait({waiting})


async def test_a_message_with_an_id_is_taken_in_once_however_often_it_comes(engine, rabbitmq_server, name):
    await publish(rabbitmq_server, name, *[b'{"jobId":"mail"}'] * 3, message_id="m1")
    await publish(rabbitmq_server, name, b'{"jobId":"last"}', message_id="m2")
    seen = []

    async def last_came():
        seen.extend(execution.target for execution in await claim(engine))
        return "last" in seen

    await until(last_came)
    assert seen == ["mail", "last"]


async def test_the_id_of_a_message_with_an_id_tells_no_time(engine, rabbitmq_server, name):
    await publish(rabbitmq_server, name, b'{"jobId":"mail"}', message_id="m1")
    (execution,) = await until(lambda: claim(engine))
    assert born_at(execution.id) is None


async def test_what_is_tried_again_has_its_id_and_is_buried_once(engine, rabbitmq_server, name, monkeypatch):
    """The store takes the batch, and its answer is lost."""
    enqueue_many, lost = engine._store.enqueue_many, []

    async def lose_answer(requests):
        answers = await enqueue_many(requests)
        if not lost:
            lost.append(requests)
            raise EngineError("the answer was lost")
        return answers

    monkeypatch.setattr(engine._store, "enqueue_many", lose_answer)
    await publish(rabbitmq_server, name, b"garbage", b'{"jobId":"mail"}', b'{"jobId":"last"}')
    ids = []

    async def both_came():
        ids.extend(await claimed_ids(engine))
        return lost and len(ids) >= 2 and not engine._intake._came

    await until(both_came)
    ids.extend(await claimed_ids(engine))
    assert len(ids) == 2
    assert await engine.count_dead() == 1


async def test_a_long_delay_comes_back_through_our_queue_and_wakes_in_time(engine):
    """The first stretch of 200 ms is 192 ms, the rest is waited out anew."""
    engine_clock = engine._store._wall_ms
    begun = asyncio.get_running_loop().time()
    (one,) = await put(engine, new(delay_ms=200))
    assert await claimed_ids(engine) == []
    await asyncio.wait_for(engine.wait_for_work(["default"], 5_000), BOUND_MS / 1000)
    assert asyncio.get_running_loop().time() - begun >= 0.2
    engine_clock.move(200)
    assert await claimed_ids(engine) == [one]


async def test_quorum_queues_serve_as_well(rabbitmq_server, tmp_path):
    stores = (DenoKvEngine(tmp_path / "records.db") for _ in range(2))
    async with amqp_engines(rabbitmq_server, *stores, parameters="?queue_type=quorum") as (one, other):
        assert await claim(one) == []
        waiting = asyncio.create_task(one.wait_for_work(["default"], BOUND_MS))
        (low, high) = await put(other, new(priority=1), new(priority=100))
        await asyncio.wait_for(waiting, BOUND_MS / 1000)
        assert await claimed_ids(one) == [high, low]


async def test_an_erased_queue_leaves_nothing_on_the_server(engine, rabbitmq_server, name):
    await put(engine, new(), new(topic="mail"))
    await engine.wait_for_work(["default"], BOUND_MS)
    await engine.erase()
    assert await engine.depths() == []
    queues = await asyncio.to_thread(rabbitmq_server.ctl, "list_queues", "name")
    assert not [queue for queue in queues.split() if queue == name or queue.startswith(f"{name}.")]


async def test_one_that_the_store_cannot_take_does_not_hold_up_the_others(
    engine, rabbitmq_server, name, monkeypatch
):
    """No message is known that does this: here the store is made to stumble over one."""
    enqueue_many = engine._store.enqueue_many

    async def stumble(requests):
        if any(request.target == "bad" for request in requests):
            raise ValueError("boom")
        return await enqueue_many(requests)

    monkeypatch.setattr(engine._store, "enqueue_many", stumble)
    await publish(rabbitmq_server, name, b'{"jobId":"good"}', b'{"jobId":"bad"}', b'{"jobId":"fine"}')
    seen = []

    async def both_came():
        seen.extend(execution.target for execution in await claim(engine))
        return len(seen) == 2

    await until(both_came)
    assert seen == ["good", "fine"]
    await until(engine.count_dead)


async def test_an_engine_that_was_closed_serves_again_once_it_is_opened_anew(engine, rabbitmq_server, name):
    await engine.wait_for_work(["default"], 1)
    await engine.close()
    await engine.close()
    await engine.open()
    assert await claim(engine) == []
    await engine.wait_for_work(["default"], 1)
    waiting = asyncio.create_task(engine.wait_for_work(["default"], BOUND_MS))
    await publish(rabbitmq_server, name, b'{"jobId":"mail"}')
    await asyncio.wait_for(waiting, BOUND_MS / 2000)
    assert len(await claim(engine)) == 1
