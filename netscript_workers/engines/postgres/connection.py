"""A few connections, opened when needed; every statement has a bound, and none is cut short because its caller went away."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeVar

import asyncpg

from netscript_workers.engines.postgres.failures import DRIVER_ERRORS, ends_connection, explained, unreachable
from netscript_workers.errors import EngineError, EngineUnavailableError

if TYPE_CHECKING:
    from asyncpg import Record

    Connection = asyncpg.Connection[Record]

SIZE: Final = 4
CONNECT_BOUND_S: Final = 8.0
STATEMENT_BOUND_S: Final = 10.0
LONG_BOUND_S: Final = 120.0
CLOSE_BOUND_S: Final = 5.0
_APPLICATION: Final = "netscript-workers"
# A plan made while a table was empty is kept while it grows: it must have an index in it from the start.
_PLANNING: Final = {"enable_seqscan": "off", "jit": "off"}
_SETTINGS: Final = _PLANNING | {"default_transaction_isolation": "read committed"}
# A process that freezes within a transaction holds its locks no longer than this: the server ends it.
_BOUND_LOCALLY: Final = "SET LOCAL idle_in_transaction_session_timeout = '15s'"
_PLANNING_LOCALLY: Final = "; ".join(
    (_BOUND_LOCALLY, *(f"SET LOCAL {name} = {value}" for name, value in _PLANNING.items()))
)
# Every statement sees what was committed before it; a server may have another default.
_ISOLATION: Final = "read_committed"

T = TypeVar("T")


class Connections:
    """Owns every connection to one database but the one that listens, and the tasks that use them.

    `pooled` says that a pooler (PgBouncer) stands between: then each statement is a transaction, no prepared statement is kept,
    and nobody can listen.
    """

    def __init__(self, url: str, shown: str) -> None:
        """Serve the database at `url`; `shown` is how messages name it."""
        self._url = url
        self.shown = shown
        self.pooled = False
        self._opened = False
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._places = asyncio.Semaphore(SIZE)
        self._tasks: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Reach the server once; raises `EngineUnavailableError`."""
        try:
            connection = await self.connect(first=True)
            async with asyncio.timeout(STATEMENT_BOUND_S), connection.transaction():
                backend = await connection.fetchval("SELECT pg_backend_pid()")
                version = await connection.fetchval("SELECT current_setting('server_version_num')::int")
                encoding = await connection.fetchval("SELECT current_setting('server_encoding')")
        except (*DRIVER_ERRORS, TimeoutError) as error:
            raise unreachable(error, self.shown) from error
        except ValueError as error:  # asyncpg's word for a URL or certificate that it cannot use
            raise EngineUnavailableError(
                f"database_url ({self.shown}) cannot be used: {type(error).__name__}. Check its form and its files."
            ) from error
        self.pooled = backend != connection.get_server_pid()
        await self._let_go(connection)
        if version < 140_000:  # noqa: PLR2004 - as PostgreSQL counts
            raise EngineUnavailableError(
                f"PostgreSQL at {self.shown} is version {version // 10_000}; the queue needs 14 or later"
            )
        if encoding != "UTF8":
            raise EngineUnavailableError(
                f"the database in PostgreSQL at {self.shown} is encoded in {encoding}; the queue needs UTF8. "
                "Make another one (createdb --encoding UTF8 --template template0) and name it in database_url."
            )
        self._opened = True

    async def connect(self, *, first: bool = False) -> "Connection":
        """Open one more connection; its owner is the caller. Raises what the driver raises."""
        plain = first or self.pooled  # a pooler lets no other settings pass, and keeps no prepared statement
        settings = {"application_name": _APPLICATION}
        connection: Connection = await asyncpg.connect(
            self._url,
            timeout=CONNECT_BOUND_S,
            statement_cache_size=0 if plain else 100,
            server_settings=settings if plain else settings | _SETTINGS,
        )
        return connection

    async def close(self) -> None:
        """Let what is under way end, within a bound, and close every connection. Idempotent."""
        self._opened = False
        await self.quiet()
        for connection in list(self._all):
            await self._let_go(connection)
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=CLOSE_BOUND_S)
        self._idle.clear()

    async def quiet(self) -> None:
        """Let what is under way end, within a bound."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=CLOSE_BOUND_S)

    async def run(
        self,
        statement: str,
        *parameters: Any,
        bound_s: float = STATEMENT_BOUND_S,
        unheard: Callable[[bool], None] | None = None,
    ) -> "list[Record]":
        """Run one statement, a transaction of its own, and return its rows; raises `EngineError`.

        A caller that is cancelled leaves the statement running. `unheard` is called once it has ended then, and also where the
        answer was lost: it may have been done or not, and the server may still be at it unless the argument says that it is over.
        """

        async def fetch() -> "list[Record]":
            async with self._connection(bound_s) as connection:
                if not self.pooled:
                    return await connection.fetch(statement, *parameters)
                async with connection.transaction(isolation=_ISOLATION):
                    await connection.execute(_PLANNING_LOCALLY)
                    return await connection.fetch(statement, *parameters)

        task = asyncio.get_running_loop().create_task(fetch(), name="postgres statement")
        self._own(task)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if unheard is not None and task.done():
                unheard(_was_answered(task))
            elif unheard is not None:
                task.add_done_callback(lambda task: unheard(_was_answered(task)))
            raise
        except EngineError:
            if unheard is not None:
                unheard(_was_answered(task))
            raise

    async def transaction(
        self, operation: "Callable[[Connection], Coroutine[Any, Any, T]]", *, bound_s: float = LONG_BOUND_S
    ) -> T:
        """Run `operation` within one transaction and return its answer; raises `EngineError`."""

        async def perform() -> T:
            async with (
                self._connection(bound_s) as connection,
                connection.transaction(isolation=_ISOLATION),
            ):
                await connection.execute(_BOUND_LOCALLY)
                return await operation(connection)

        task = asyncio.get_running_loop().create_task(perform(), name="postgres transaction")
        self._own(task)
        return await asyncio.shield(task)

    def _own(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waits is told; nobody may wait any more

    @contextlib.asynccontextmanager
    async def _connection(self, bound_s: float) -> AsyncGenerator["Connection"]:
        """Lend a connection for at most `bound_s`, the wait for it included."""
        if not self._opened:
            raise EngineUnavailableError(f"the queue in PostgreSQL at {self.shown} is not open")
        connection: Connection | None = None
        try:
            async with asyncio.timeout(bound_s), self._places:
                connection = self._idle.pop() if self._idle else await self._another()
                yield connection
                self._put_back(connection)
        except (*DRIVER_ERRORS, TimeoutError) as error:
            if connection is not None:
                if ends_connection(error):
                    self._throw_away(connection)
                else:
                    self._put_back(connection)
            raise explained(error, self.shown) from error
        except BaseException:
            if connection is not None:
                self._throw_away(connection)
            raise

    async def _another(self) -> "Connection":
        connection = await self.connect()
        self._all.add(connection)
        return connection

    def _put_back(self, connection: "Connection") -> None:
        if connection.is_closed() or not self._opened:
            self._throw_away(connection)
        else:
            self._idle.append(connection)

    def _throw_away(self, connection: "Connection") -> None:
        """Drop a broken connection, and those that were idle beside it: they most likely broke with it."""
        for one in (connection, *self._idle):
            self._all.discard(one)
            one.terminate()
        self._idle.clear()

    async def _let_go(self, connection: "Connection") -> None:
        self._all.discard(connection)
        try:
            await connection.close(timeout=CLOSE_BOUND_S)
        except (*DRIVER_ERRORS, TimeoutError):
            connection.terminate()


def _was_answered(task: "asyncio.Task[Any]") -> bool:
    return not task.cancelled() and task.exception() is None
