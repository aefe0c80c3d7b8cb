"""The client's twin for programs without an event loop."""

import inspect
import threading

import pytest

from netscript_workers import Client, SyncClient, job
from netscript_workers.engines.memory import MemoryEngine
from netscript_workers.errors import PayloadError, UsageError
from netscript_workers.testing.handlers import catalog_of


@job("note")
def note(ctx): ...


@pytest.fixture
def client():
    with SyncClient(engine=MemoryEngine(), catalog=catalog_of([note])) as opened:
        yield opened


def public_methods(kind):
    return {name: method for name, method in vars(kind).items() if not name.startswith("_")}


def test_every_method_of_the_client_is_there_with_the_same_signature():
    ours, theirs = public_methods(SyncClient), public_methods(Client)
    assert ours.keys() == theirs.keys()
    for name, method in theirs.items():
        assert inspect.iscoroutinefunction(method)
        assert not inspect.iscoroutinefunction(ours[name])
        assert inspect.signature(ours[name]) == inspect.signature(method), name
    assert inspect.signature(SyncClient) == inspect.signature(Client)


def test_it_enqueues_and_reads_as_the_client_does(client):
    enqueued = client.trigger("note", {"a": 1}, priority=9)
    assert client.get(enqueued.id).decoded_payload() == {"a": 1}
    assert len(client.trigger_many("note", [{}, {}])) == 2
    assert len(client.executions()) == 3
    assert list(client.targets()) == ["note"]
    assert client.logs(enqueued.id) == []
    client.cancel(enqueued.id)
    assert client.wait(enqueued.id, 5).status == "cancelled"
    client.retry(enqueued.id)
    assert client.get(enqueued.id).status == "queued"


def test_errors_come_out_as_they_are(client):
    with pytest.raises(PayloadError):
        client.trigger("note", [1])


def test_many_threads_may_share_one(client):
    threads = [threading.Thread(target=lambda: [client.trigger("note") for _ in range(20)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(client.executions(limit=None)) == 160


def test_it_says_how_it_is_opened_and_can_be_closed_twice():
    client = SyncClient(engine=MemoryEngine(), catalog=catalog_of([note]))
    with pytest.raises(UsageError, match="with SyncClient"):
        client.trigger("note")
    client.open()
    client.open()
    client.trigger("note")
    client.close()
    client.close()
    with pytest.raises(UsageError, match="not open"):
        client.executions()


async def test_it_works_inside_somebody_elses_event_loop():
    with SyncClient(engine=MemoryEngine(), catalog=catalog_of([note])) as client:
        assert client.trigger("note").deduplicated is False
