"""The engines that every queue promise is tried on."""

import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.amqp import amqp_engines
from contracts.engines import Clock
from netscript_workers.engines.archived import ArchivedEngine
from netscript_workers.engines.deno_kv import DenoKvEngine, SqliteArchive
from netscript_workers.engines.memory import MemoryEngine
from netscript_workers.engines.postgres import PostgresArchive, PostgresEngine
from netscript_workers.ports.archive import AgeingEngine, Archive
from netscript_workers.ports.engine import Engine
from support import redis_queues


@pytest.fixture
def clock() -> Clock:
    """The wall clock of `engine` and `another`."""
    return Clock()


@pytest.fixture(
    params=[
        "memory",
        "deno-kv",
        "archived-sqlite",
        "archived-postgres",
        "redis",
        "valkey",
        "postgres",
        "amqp-deno-kv",
        "amqp-redis",
        "amqp-postgres",
    ]
)
async def engines(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock
) -> AsyncIterator[tuple[Engine, Engine]]:
    if request.param == "memory":
        memory = MemoryEngine(clock)
        yield memory, memory
        return
    if request.param.startswith("amqp-"):
        with contextlib.ExitStack() as stack:
            stores = records(request, stack, tmp_path, clock)
            async with amqp_engines(request.getfixturevalue("rabbitmq_server"), *stores) as pair:
                yield pair[0], pair[1]
        return
    if request.param in ("redis", "valkey"):
        with redis_queues.own(request.getfixturevalue(f"{request.param}_server")) as own:
            pair = tuple(redis(own, tmp_path, clock) for _ in range(2))
            async with both(*pair):
                yield pair
        return
    if request.param == "postgres":
        url, name = request.getfixturevalue("postgres_server").url, f"contract-{uuid.uuid4()}"
        first, second = (PostgresEngine(url, name, clock=clock) for _ in range(2))
    elif request.param == "archived-postgres":
        url, name = request.getfixturevalue("postgres_server").url, f"contract-{uuid.uuid4()}"
        first, second = (archived(tmp_path, clock, PostgresArchive(url, name, clock=clock)) for _ in range(2))
    elif request.param == "archived-sqlite":
        files = (SqliteArchive(tmp_path / "archive.db", "jobs", clock) for _ in range(2))
        first, second = (archived(tmp_path, clock, file) for file in files)
    else:
        first, second = (deno_kv(tmp_path, clock) for _ in range(2))
    async with both(first, second):
        yield first, second


def records(
    request: pytest.FixtureRequest, stack: contextlib.ExitStack, folder: Path, clock: Clock
) -> tuple[Engine, Engine]:
    """Two stores of records for the provider amqp, on the same records."""
    if request.param == "amqp-redis":
        own = stack.enter_context(redis_queues.own(request.getfixturevalue("redis_server")))
        return redis(own, folder, clock), redis(own, folder, clock)
    if request.param == "amqp-postgres":
        url, name = request.getfixturevalue("postgres_server").url, f"contract-{uuid.uuid4()}"
        return PostgresEngine(url, name, clock=clock), PostgresEngine(url, name, clock=clock)
    return deno_kv(folder, clock), deno_kv(folder, clock)


@contextlib.asynccontextmanager
async def both(first: Engine | Archive, second: Engine | Archive) -> AsyncIterator[None]:
    await first.open()
    await second.open()
    yield
    await second.close()
    await first.close()


def redis(own: redis_queues.OwnQueue, folder: Path, clock: Clock) -> ArchivedEngine:
    """Redis as a daemon has it: with an archive, which Redis itself is not."""
    archive = SqliteArchive(folder / "archive.db", "jobs", clock)
    return ArchivedEngine(own.engine(clock), archive, clock)


def deno_kv(folder: Path, clock: Clock) -> DenoKvEngine:
    return DenoKvEngine(folder / "queue.db", "jobs", clock)


def archived(folder: Path, clock: Clock, archive: Archive) -> ArchivedEngine:
    """An engine whose archive is another store."""
    return ArchivedEngine(deno_kv(folder, clock), archive, clock)


@pytest.fixture
def engine(engines: tuple[Engine, Engine]) -> Engine:
    return engines[0]


@pytest.fixture
def another(engines: tuple[Engine, Engine]) -> Engine:
    """A second engine on the same store (with memory: the same one)."""
    return engines[1]


@pytest.fixture(params=["sqlite", "postgres"])
async def archives(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock
) -> AsyncIterator[tuple[Archive, Archive]]:
    if request.param == "postgres":
        url, name = request.getfixturevalue("postgres_server").url, f"contract-{uuid.uuid4()}"
        first, second = (PostgresArchive(url, name, clock=clock) for _ in range(2))
    else:
        first, second = (SqliteArchive(tmp_path / "archive.db", "jobs", clock) for _ in range(2))
    await first.open()
    await second.open()
    yield first, second
    await second.close()
    await first.close()


@pytest.fixture
def archive(archives: tuple[Archive, Archive]) -> Archive:
    return archives[0]


@pytest.fixture
def another_archive(archives: tuple[Archive, Archive]) -> Archive:
    """A second archive on the same store."""
    return archives[1]


@pytest.fixture(params=["deno-kv", "redis", "valkey"])
async def lives(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock
) -> AsyncIterator[tuple[AgeingEngine, AgeingEngine]]:
    if request.param != "deno-kv":
        with redis_queues.own(request.getfixturevalue(f"{request.param}_server")) as own:
            pair = own.engine(clock), own.engine(clock)
            async with both(*pair):
                yield pair
        return
    first, second = (deno_kv(tmp_path, clock) for _ in range(2))
    async with both(first, second):
        yield first, second


@pytest.fixture
def live(lives: tuple[AgeingEngine, AgeingEngine]) -> AgeingEngine:
    """An engine whose records may rest elsewhere."""
    return lives[0]


@pytest.fixture
def another_live(lives: tuple[AgeingEngine, AgeingEngine]) -> AgeingEngine:
    """A second engine on the same store."""
    return lives[1]
