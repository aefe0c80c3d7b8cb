"""The memory engine: all ports over one store."""

from collections.abc import Callable

from netscript_workers.engines.memory.admin import MemoryAdmin
from netscript_workers.engines.memory.history import MemoryHistory
from netscript_workers.engines.memory.schedules import MemorySchedules
from netscript_workers.engines.memory.store import Store


class MemoryEngine(MemorySchedules, MemoryAdmin, MemoryHistory):
    """Fulfils `ports.engine.Engine` in this process's memory; for one thread. What it holds ends with the object.

    `wall_ms` tells the time (ms since 1970), so that tests can own it.
    """

    def __init__(self, wall_ms: Callable[[], int] | None = None) -> None:
        super().__init__(Store(wall_ms))

    async def open(self) -> None:
        """Do nothing: the store is there. What it holds survives `close` and another `open`."""

    async def close(self) -> None:
        """Do nothing: there is nothing to let go of."""
