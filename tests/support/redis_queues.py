"""Queues of a test's own on a Redis that many tests share, with nothing left of them afterwards."""

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import redis

from netscript_workers.engines.redis import RedisEngine
from support.server_kinds import RedisServer

_numbers = itertools.count(1)


@dataclass(frozen=True)
class OwnQueue:
    """One queue name on one server."""

    url: str
    name: str
    client: redis.Redis

    def engine(self, clock: Callable[[], int] | None = None) -> RedisEngine:
        return RedisEngine(self.url, self.name, clock=clock)

    def there(self) -> list[str]:
        """Every key of this queue, without what all begin with."""
        root = f"netscript:{{{self.name}}}:"
        return sorted(key.decode().removeprefix(root) for key in self.client.scan_iter(root + "*"))

    def lasting(self) -> list[str]:
        """The keys that do not expire."""
        root = f"netscript:{{{self.name}}}:"
        return [key for key in self.there() if self.client.ttl(root + key) == -1]


@contextlib.contextmanager
def own(server: RedisServer) -> Iterator[OwnQueue]:
    """Have a queue for the time of a `with`."""
    with redis.Redis.from_url(server.url, protocol=2) as client:
        queue = OwnQueue(server.url, f"test-{os.getpid()}-{next(_numbers)}", client)
        yield queue
        root = f"netscript:{{{queue.name}}}:"
        for key in queue.there():
            client.delete(root + key)
