"""The postgres engine: all ports over one schema of a PostgreSQL database."""

import logging
from collections.abc import Callable

from netscript_workers.engines.postgres.admin import PostgresAdmin
from netscript_workers.engines.postgres.callers import PostgresTransactional
from netscript_workers.engines.postgres.connection import CLOSE_BOUND_S
from netscript_workers.engines.postgres.history import PostgresHistory
from netscript_workers.engines.postgres.opening import look, number_of
from netscript_workers.engines.postgres.schedules import PostgresSchedules
from netscript_workers.errors import EngineError
from netscript_workers.ports.tables import Upkeep

log = logging.getLogger("netscript_workers.engine")


class PostgresEngine(PostgresSchedules, PostgresAdmin, PostgresHistory, PostgresTransactional):
    """Fulfils `ports.engine.Engine` and `Probing`, and enqueues within its callers' transactions.

    Any number of processes on any hosts may share the database.

    Owns up to `connection.SIZE` connections and one that listens between `open` and `close`. `shown` names the server in
    messages (the masked URL). `upkeep` says what `open` may do to the tables.
    `clock` (ms since 1970) takes the place of the server's time, but for leases, so that tests can own it.
    """

    def __init__(
        self,
        url: str,
        queue_name: str = "jobs",
        *,
        shown: str = "(a database)",
        upkeep: Upkeep = Upkeep.UPGRADE,
        clock: Callable[[], int] | None = None,
    ) -> None:
        super().__init__(url, queue_name, shown, clock)
        self._upkeep = upkeep
        self._opened = False

    async def open(self) -> None:
        """Reach the server and see to the tables as `upkeep` says.

        Raises `EngineUnavailableError`, or `EngineFormatError` where the tables are not those of this version.
        """
        if self._opened:
            return
        self._number = await number_of(self._connections, self._queue_name, upkeep=self._upkeep)
        self._bells.open(self._number)
        self._opened = True

    async def probe(self) -> None:
        """See `ports.engine.Probing`."""
        await look(self._connections)

    async def close(self) -> None:
        """Finish what is under way and let go of every connection. Idempotent."""
        was_open, self._opened = self._opened, False
        await self._bells.close()
        if was_open:
            await self._give_back_the_rest()
        await self._connections.close()

    async def _give_back_the_rest(self) -> None:
        await self._connections.quiet()  # a claim whose caller was cancelled may be under way
        if tokens := self._unheard_claims.all():
            try:
                await self._give_back(tokens, CLOSE_BOUND_S)
            except EngineError as error:
                log.warning("claims that nobody heard of wait for their lease to run out: %s", error)
