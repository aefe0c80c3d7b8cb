"""Any sequence of verbs has the same answers on every engine: the others are held against memory."""

import asyncio
import tempfile
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.amqp import amqp_engines
from contracts.engines import DAY_MS, Clock, asking, ending, new
from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import Execution
from netscript_workers.engines.archived import ArchivedEngine
from netscript_workers.engines.deno_kv import DenoKvEngine, SqliteArchive
from netscript_workers.engines.memory import MemoryEngine
from netscript_workers.engines.postgres import PostgresEngine
from netscript_workers.ports.engine import Engine
from netscript_workers.ports.history import HistoryQuery
from netscript_workers.ports.queue_admin import DeadFilter
from netscript_workers.ports.schedules import Tick
from support import redis_queues
from support.server_kinds import RabbitServer

TOPICS = st.sampled_from(["x", "y"])
PICK = st.integers(0, 30)
ENDS = st.sampled_from(["done", "boom", "stop", "asked", "late"])
OUTCOMES = {
    "done": outcomes.succeeded(b"1"),
    "boom": outcomes.failed("boom"),
    "stop": outcomes.interrupted("stop"),
    "asked": outcomes.cancelled("asked"),
    "late": outcomes.timed_out("late"),
}
FRESH = st.fixed_dictionaries(
    {
        "target": st.sampled_from(["a", "b", "c"]),
        "topic": TOPICS,
        "priority": st.sampled_from([10, 50, 90]),
        "delay_ms": st.sampled_from([0, 0, 0, 7]),
        "idempotency_key": st.sampled_from([None, None, "k", "l"]),
    }
)
SCHEDULES = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3, unique=True)
TICK = st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(-2, 8), FRESH)
LANE = st.tuples(st.sampled_from([("x",), ("y",), ("x", "y"), ("y", "x")]), st.integers(1, 4))
VERB = st.one_of(
    st.tuples(st.just("enqueue"), st.lists(FRESH, min_size=1, max_size=6)),
    st.tuples(
        st.just("claim"),
        st.integers(
            1, 5
        ),  # whether a claim of nothing queues what has become due is each engine's own affair
        st.one_of(
            st.tuples(LANE),
            st.tuples(st.tuples(st.just(("x",)), st.just(2)), st.tuples(st.just(("y",)), st.just(3))),
        ),
        st.dictionaries(st.sampled_from(["a", "b"]), st.integers(1, 2)),
    ),
    st.tuples(st.just("settle"), st.lists(st.tuples(PICK, ENDS), min_size=1, max_size=3), st.integers(0, 1)),
    st.tuples(st.just("cancel"), PICK),
    st.tuples(st.just("retry"), PICK),
    st.tuples(st.sampled_from(["pause", "resume"]), TOPICS),
    st.tuples(st.sampled_from(["standing", "standing", "forget"]), SCHEDULES),
    st.tuples(st.just("tick"), st.lists(TICK, min_size=1, max_size=6)),
    st.tuples(st.just("move"), st.sampled_from([1, 7, DAY_MS, 8 * DAY_MS, 31 * DAY_MS])),
    st.tuples(st.sampled_from(["sweep", "requeue", "purge"])),
)


class Play:
    """Plays verbs on one engine and remembers what it needs of the answers."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.engine = engine
        self.clock = clock
        self.ids: list[str] = []
        self.claims: list[Execution] = []

    def _id(self, number: int) -> str:
        return self.ids[number % len(self.ids)] if self.ids else "nobody"

    async def enqueue(self, requests: list[dict[str, Any]]) -> object:
        named = [new(id=f"e{len(self.ids) + n:04}", **fields) for n, fields in enumerate(requests)]
        self.ids += [one.id for one in named]
        return await self.engine.enqueue_many(named)

    async def claim(self, total: int, lanes: Any, limits: dict[str, int]) -> object:
        claimed = await self.engine.claim_many(asking(total, *lanes, **limits))
        self.claims += claimed
        return [plain(one) for one in claimed]

    async def settle(self, ends: list[tuple[int, str]], delay: int) -> object:
        if not self.claims:
            return []
        settlements = [
            ending(
                self.claims[-1 - number % len(self.claims)],
                OUTCOMES[name],
                attempts=2,
                delay_ms=7 * delay,
                now=self.clock.now,
            )
            for number, name in ends
        ]
        return await self.engine.settle_many(settlements)

    async def cancel(self, number: int) -> object:
        return await self.engine.cancel_many([self._id(number), "nobody"])

    async def retry(self, number: int) -> object:
        return await self.engine.retry_many([self._id(number), "nobody"])

    async def pause(self, topic: str) -> object:
        return await self.engine.pause(topic)

    async def resume(self, topic: str) -> object:
        return await self.engine.resume(topic)

    async def move(self, ms: int) -> object:
        self.clock.move(ms)
        return None

    async def sweep(self) -> object:
        return await self.engine.sweep(1000)

    async def requeue(self) -> object:
        return await self.engine.requeue_dead(DeadFilter(target="a"))

    async def purge(self) -> object:
        return await self.engine.purge_dead(DeadFilter(topic="x"))

    async def standing(self, targets: list[str]) -> object:
        standing = await self.engine.standing(targets)
        return standing.now, dict(standing.last)

    async def forget(self, targets: list[str]) -> object:
        return await self.engine.forget_schedules(targets)

    async def tick(self, ticks: list[tuple[str, int, dict[str, Any]]]) -> object:
        named = [
            Tick(target, self.clock.now + after, new(id=f"e{len(self.ids) + n:04}", **fields))
            for n, (target, after, fields) in enumerate(ticks)
        ]
        self.ids += [one.request.id for one in named]
        return await self.engine.enqueue_ticks(named)

    async def view(self) -> object:
        """Tell everything that can be seen from outside."""
        engine = self.engine
        return {
            "records": [plain(one) for one in await engine.find(HistoryQuery(limit=None))],
            "depths": await engine.depths(),
            "dead": [letter.id for letter in await engine.dead_letters(DeadFilter(), None)],
            "count": await engine.count_dead(),
            "schedules": dict((await engine.standing(["a", "b", "c"])).last),
            "attempts": [
                [(a.attempt, a.cause, a.worker_id) for a in await engine.attempts(one)] for one in self.ids
            ],
        }


def plain(record: Execution) -> dict[str, object]:
    """Leave out the token: each engine has its own."""
    fields = {name: getattr(record, name) for name in record.__struct_fields__}
    del fields["token"]
    return fields


async def play(verbs: list[tuple[Any, ...]], clocks: tuple[Clock, Clock], engine: Engine) -> None:
    await engine.open()
    try:
        memory, other = Play(MemoryEngine(clocks[0]), clocks[0]), Play(engine, clocks[1])
        for verb, *arguments in verbs:
            expected = await getattr(memory, verb)(*arguments)
            assert await getattr(other, verb)(*arguments) == expected, verb
        assert await other.view() == await memory.view()
    finally:
        await engine.close()


ANY_VERBS = st.lists(VERB, min_size=4, max_size=40)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(ANY_VERBS)
def test_deno_kv_answers_as_memory_does(verbs):
    clocks = Clock(), Clock()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(verbs, clocks, DenoKvEngine(Path(folder) / "queue.db", "jobs", clocks[1])))


@pytest.mark.services
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(verbs=ANY_VERBS)
def test_redis_with_an_archive_answers_as_memory_does(redis_server, verbs):
    clocks = Clock(), Clock()
    with tempfile.TemporaryDirectory() as folder, redis_queues.own(redis_server) as own:
        archive = SqliteArchive(Path(folder) / "archive.db", "jobs", clocks[1])
        asyncio.run(play(verbs, clocks, ArchivedEngine(own.engine(clocks[1]), archive, clocks[1])))


@pytest.mark.services
@pytest.mark.timeout(180)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(verbs=ANY_VERBS)
def test_postgres_answers_as_memory_does(postgres_server, verbs):
    clocks = Clock(), Clock()
    engine = PostgresEngine(postgres_server.url, f"agree-{uuid.uuid4()}", clock=clocks[1])
    asyncio.run(play(verbs, clocks, engine))


async def play_on_amqp(verbs: list[tuple[Any, ...]], server: RabbitServer, path: Path) -> None:
    clocks = Clock(), Clock()
    async with amqp_engines(server, DenoKvEngine(path, "jobs", clocks[1])) as (engine,):
        await play(verbs, clocks, engine)


@pytest.mark.services
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(verbs=ANY_VERBS)
def test_amqp_answers_as_memory_does(rabbitmq_server, verbs):
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play_on_amqp(verbs, rabbitmq_server, Path(folder) / "queue.db"))
