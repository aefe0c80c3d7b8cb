"""A queue of the test's own on the shared Redis."""

from collections.abc import AsyncIterator, Iterator

import pytest

from contracts.engines import Clock
from netscript_workers.engines.redis import RedisEngine
from support import redis_queues


@pytest.fixture
def clock() -> Clock:
    """The wall clock of `engine`."""
    return Clock()


@pytest.fixture(params=["redis", "valkey"])
def own(request) -> Iterator[redis_queues.OwnQueue]:
    with redis_queues.own(request.getfixturevalue(f"{request.param}_server")) as queue:
        yield queue


@pytest.fixture
async def engine(own, clock) -> AsyncIterator[RedisEngine]:
    made = own.engine(clock)
    await made.open()
    yield made
    await made.close()
