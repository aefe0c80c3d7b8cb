"""The postgres engine: the three ports over one schema of a PostgreSQL database."""

from collections.abc import Callable

from netscript_workers.engines.postgres.admin import PostgresAdmin
from netscript_workers.engines.postgres.callers import PostgresTransactional
from netscript_workers.engines.postgres.history import PostgresHistory
from netscript_workers.engines.postgres.opening import look, number_of
from netscript_workers.engines.postgres.queue import PostgresQueue


class PostgresEngine(PostgresQueue, PostgresAdmin, PostgresHistory, PostgresTransactional):
    """Fulfils `ports.engine.Engine` and `Probing`, and enqueues within its callers' transactions.

    Any number of processes on any hosts may share the database.

    Owns up to `connection.SIZE` connections and one that listens between `open` and `close`. `shown` names the server in
    messages (the masked URL). `migrate` false: `open` raises `EngineFormatError` instead of changing the tables.
    `clock` (ms since 1970) takes the place of the server's time, but for leases, so that tests can own it.
    """

    def __init__(
        self,
        url: str,
        queue_name: str = "jobs",
        *,
        shown: str = "(a database)",
        migrate: bool = True,
        clock: Callable[[], int] | None = None,
    ) -> None:
        super().__init__(url, queue_name, shown, clock)
        self._migrate = migrate
        self._opened = False

    async def open(self) -> None:
        """Reach the server and bring the tables up to date.

        Raises `EngineUnavailableError`, or `EngineFormatError` where the tables are not those of this version.
        """
        if self._opened:
            return
        self._number = await number_of(self._connections, self._queue_name, migrating=self._migrate)
        self._bells.open(self._number)
        self._opened = True

    async def probe(self) -> None:
        """See `ports.engine.Probing`."""
        await look(self._connections)

    async def close(self) -> None:
        """Finish what is under way and let go of every connection. Idempotent."""
        self._opened = False
        await self._bells.close()
        await self._connections.close()
