"""The engines that every queue promise is tried on."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.engines import Clock
from netscript_workers.engines.deno_kv import DenoKvEngine
from netscript_workers.engines.memory import MemoryEngine
from netscript_workers.engines.postgres import PostgresEngine
from netscript_workers.ports.engine import Engine


@pytest.fixture
def clock() -> Clock:
    """The wall clock of `engine` and `another`."""
    return Clock()


@pytest.fixture(params=["memory", "deno-kv", "postgres"])
async def engines(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock
) -> AsyncIterator[tuple[Engine, Engine]]:
    if request.param == "memory":
        memory = MemoryEngine(clock)
        yield memory, memory
        return
    if request.param == "postgres":
        url, name = request.getfixturevalue("postgres_server").url, f"contract-{uuid.uuid4()}"
        first, second = (PostgresEngine(url, name, clock=clock) for _ in range(2))
    else:
        first, second = (DenoKvEngine(tmp_path / "queue.db", "jobs", clock) for _ in range(2))
    await first.open()
    await second.open()
    yield first, second
    await second.close()
    await first.close()


@pytest.fixture
def engine(engines: tuple[Engine, Engine]) -> Engine:
    return engines[0]


@pytest.fixture
def another(engines: tuple[Engine, Engine]) -> Engine:
    """A second engine on the same store (with memory: the same one)."""
    return engines[1]
