"""An engine: one store that serves the queue, the operator, the history and the schedulers."""

from typing import Protocol, runtime_checkable

from netscript_workers.ports.history import History
from netscript_workers.ports.queue import Queue
from netscript_workers.ports.queue_admin import QueueAdmin
from netscript_workers.ports.schedules import TickBook


class Engine(Queue, QueueAdmin, History, TickBook, Protocol):
    """All four ports over one store, with a beginning and an end."""

    async def open(self) -> None:
        """Reach the store and make what is missing in it; raises `EngineUnavailableError` or `EngineFormatError`.

        May be called again after it failed or was cancelled, which leaves nothing behind.
        """
        ...

    async def close(self) -> None:
        """Finish what is under way and let go of every connection, file and thread. Idempotent."""
        ...


@runtime_checkable
class Probing(Protocol):
    """An engine that can tell whether it could be opened, without making or changing anything in its store."""

    async def probe(self) -> None:
        """Reach the store and look; raises what `open` would. Not to be called on an open engine."""
        ...
