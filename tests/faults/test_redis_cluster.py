"""A Redis Cluster that loses the node that holds the queue: its replica takes over, and the work goes on."""

import asyncio
import contextlib

import pytest
import redis

from contracts.engines import BOUND_MS, claim, ending, new
from netscript_workers.domain.execution import Status
from netscript_workers.engines.redis import RedisEngine
from netscript_workers.errors import EngineError
from support.server_kinds import RedisServer, ValkeyServer

pytestmark = [pytest.mark.faults, pytest.mark.services, pytest.mark.timeout(180)]
PATIENCE_S = 60
_NODE = ("--cluster-node-timeout", "2000", "--appendfsync", "always")
_KINDS = {"redis": RedisServer, "valkey": ValkeyServer}


def ask(server, *words):
    with redis.Redis(port=server.port, protocol=2, socket_timeout=5) as client:
        return client.execute_command(*words)


async def until(holds):
    async with asyncio.timeout(PATIENCE_S):
        while not await asyncio.to_thread(holds):
            await asyncio.sleep(0.05)


@pytest.fixture
async def cluster(request, redis_cluster_node):
    """Three masters and a replica of the one that holds the queue `jobs`, which is returned first, then its replica."""
    kind = _KINDS[getattr(request, "param", "redis")]
    *masters, replica = [redis_cluster_node(*_NODE, kind=kind) for _ in range(4)]
    bounds = (0, 5461, 10923, 16384)
    for place, node in enumerate((*masters, replica)):
        ask(node, "CLUSTER", "SET-CONFIG-EPOCH", place + 1)
        if node is not replica:
            ask(node, "CLUSTER", "ADDSLOTSRANGE", bounds[place], bounds[place + 1] - 1)
        if place:
            ask(node, "CLUSTER", "MEET", "127.0.0.1", masters[0].port, masters[0].bus_port)
    slot = ask(masters[0], "CLUSTER", "KEYSLOT", "netscript:{jobs}")
    holder = next(node for place, node in enumerate(masters) if slot < bounds[place + 1])
    holder_id = ask(holder, "CLUSTER", "MYID")

    def knows_all(node):
        told = ask(node, "CLUSTER", "INFO")
        return b"cluster_known_nodes:4" in told and b"cluster_state:ok" in told

    for node in (*masters, replica):
        await until(lambda node=node: knows_all(node))
    ask(replica, "CLUSTER", "REPLICATE", holder_id)
    await until(lambda: ask(replica, "INFO", "replication")["master_link_status"] == "up")
    others = [node for node in masters if node is not holder]
    await until(lambda: all(len(slots_of(node, slot)) == 2 for node in others))
    return holder, replica, *others


def slots_of(node, slot):
    """Return the nodes of a slot, as `node` sees the cluster."""
    for first, last, *nodes in ask(node, "CLUSTER", "SLOTS"):
        if first <= slot <= last:
            return nodes
    return []


async def tried(call):
    """Call until the cluster answers."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await call()
            except EngineError:
                await asyncio.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cluster", "url_of"),
    [
        ("redis", "the node that dies"),
        ("redis", "another node"),
        ("redis", "both"),
        ("valkey", "the node that dies"),
    ],
    indirect=["cluster"],
)
async def test_a_master_that_is_killed_loses_nothing_that_its_replica_had(cluster, url_of):
    holder, _, other, _ = cluster
    both = f"redis://127.0.0.1:{holder.port},127.0.0.1:{other.port}/0"
    url = {"the node that dies": holder.url, "another node": other.url, "both": both}[url_of]
    engine, another = RedisEngine(url, "jobs"), RedisEngine(url, "jobs")
    await engine.open()
    await another.open()
    requests = [new(correlation_id="c") for _ in range(300)]
    await engine.enqueue_many(requests[:200])
    done = await claim(engine, 50)
    assert await engine.settle_many([ending(one) for one in done]) == [True] * 50
    held = await claim(another, 50)
    waiting = asyncio.create_task(another.wait_for_work(["default"], BOUND_MS))
    assert ask(holder, "WAIT", 1, 10_000) == 1, "the replica has it all"
    await asyncio.to_thread(holder.kill)

    await tried(lambda: engine.enqueue_many(requests[200:]))
    again = await tried(lambda: engine.enqueue_many(requests[:200]))
    assert all(one.deduplicated for one in again), "no one was lost"
    assert await tried(lambda: another.settle_many([ending(one) for one in held])) == [True] * 50
    ended = {one.id for one in (*done, *held)}
    while len(ended) < len(requests):
        claimed = await tried(lambda: claim(another, 50))
        assert claimed
        assert ended.isdisjoint({one.id for one in claimed}), "what is recorded is not run again"
        assert all(await tried(lambda now=claimed: another.settle_many([ending(one) for one in now])))
        ended.update(one.id for one in claimed)
    records = await engine.get_many([one.id for one in requests])
    assert {record.status for record in records if record} == {Status.COMPLETED}
    await asyncio.wait_for(waiting, PATIENCE_S)
    await heard_again(engine, another)
    await engine.close()
    await another.close()


async def heard_again(engine, another):
    """A worker is woken by the node that took over."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            await claim(another)
            ringing = asyncio.create_task(another.wait_for_work(["default"], BOUND_MS))
            await asyncio.sleep(0)
            await engine.enqueue_many([new()])
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ringing, PATIENCE_S)
                return


@pytest.mark.slow
async def test_a_daemon_starts_while_the_first_node_of_its_url_is_dead(cluster):
    holder, replica, other, _ = cluster
    await asyncio.to_thread(other.kill)
    url = f"redis://127.0.0.1:{other.port},127.0.0.1:{replica.port}/0"
    engine = RedisEngine(url, "jobs")
    await engine.open()
    (answer,) = await tried(lambda: engine.enqueue_many([new()]))
    assert [one.id for one in await claim(engine)] == [answer.id]
    assert engine._server.nodes.current == ("127.0.0.1", holder.port)
    await engine.close()
