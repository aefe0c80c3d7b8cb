"""Engines of the provider amqp, with queues of their own that are deleted afterwards."""

import contextlib
import itertools
import os
from collections.abc import AsyncIterator, Sequence
from typing import Any

from pamqp import commands

from netscript_workers.engines.amqp import Address, AmqpEngine
from netscript_workers.engines.amqp.link import Link
from netscript_workers.ports.engine import Engine
from support.server_kinds import RabbitServer

_numbers = itertools.count(1)


def queue_name() -> str:
    """A name that no other test uses, in no other process either."""
    return f"test-{os.getpid()}-{next(_numbers)}"


@contextlib.asynccontextmanager
async def amqp_engines(
    server: RabbitServer, *stores: Engine, name: str | None = None, parameters: str = ""
) -> AsyncIterator[Sequence[AmqpEngine]]:
    """One engine for each store of records (which are on the same records), all on the same queues."""
    name = name or queue_name()
    address = Address.parse(server.url + parameters)
    engines = [AmqpEngine(store, address, name) for store in stores]
    try:
        for engine in engines:
            await engine.open()
        yield engines
    finally:
        for engine in reversed(engines):
            await engine.close()
        await delete_queues(server, name)


async def delete_queues(server: RabbitServer, name: str) -> None:
    """Delete the queues that the contract's topics may have made; those for delays go by themselves."""
    names = [name, *(f"{name}.ready.{topic}" for topic in ("default", "a", "b", "c", "t", "x", "y", "later"))]
    async with bare_link(server) as link:
        await link.call(*(commands.Queue.Delete(queue=each) for each in names))


@contextlib.asynccontextmanager
async def bare_link(server: RabbitServer, deliveries: list[Any] | None = None) -> AsyncIterator[Link]:
    """A connection as another program would have it."""
    into = deliveries if deliveries is not None else []
    link = Link(Address.parse(server.url), "test", into.append, lambda _tag: None)
    await link.open()
    try:
        yield link
    finally:
        await link.close()
