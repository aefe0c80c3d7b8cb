"""A live engine and an archive as one engine."""

from netscript_workers.engines.archived.admin import ArchivedAdmin
from netscript_workers.engines.archived.history import ArchivedHistory
from netscript_workers.engines.archived.queue import ArchivedQueue
from netscript_workers.engines.archived.schedules import ArchivedSchedules
from netscript_workers.ports.engine import Probing
from netscript_workers.ports.erasable import Erasable


class ArchivedEngine(ArchivedQueue, ArchivedSchedules, ArchivedAdmin, ArchivedHistory):
    """Fulfils `ports.engine.Engine`. Opens and closes both stores.

    The line (claims, settlements, renewals) never waits for the archive: while that cannot be reached, work goes on, the
    sweep is tried again, and only what asks for old records fails.
    """

    async def open(self) -> None:
        """Reach both stores; raises `EngineUnavailableError` or `EngineFormatError`."""
        await self._live.open()
        try:
            await self._archive.open()
        except BaseException:
            await self._live.close()
            raise

    async def erase(self) -> None:
        """See `ports.erasable.Erasable`."""
        for store in (self._live, self._archive):
            if isinstance(store, Erasable):
                await store.erase()

    async def probe(self) -> None:
        """See `ports.engine.Probing`; a store that cannot tell otherwise is opened and closed."""
        for store in (self._live, self._archive):
            if isinstance(store, Probing):
                await store.probe()
            else:
                await store.open()
                await store.close()

    async def close(self) -> None:
        """Let go of both. Idempotent."""
        try:
            await self._live.close()
        finally:
            await self._archive.close()
