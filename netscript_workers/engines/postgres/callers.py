"""Enqueues within a transaction of the caller's: on an asyncpg, psycopg or SQLAlchemy connection or session.

None of these libraries is imported before somebody hands in one of its objects.
"""

import asyncio
import inspect
from collections.abc import Sequence
from typing import Any, Final

from netscript_workers.domain.execution import Enqueued, NewExecution
from netscript_workers.engines.postgres import enqueuing
from netscript_workers.engines.postgres.base import Base
from netscript_workers.engines.postgres.failures import refused
from netscript_workers.engines.postgres.statements import statement
from netscript_workers.errors import UsageError

_BATCH: Final = 1_000
# What has an open transaction, by library; all others (cursors, pools, engines) are refused.
_KINDS: Final = {
    "asyncpg": {"Connection", "PoolConnectionProxy"},
    "psycopg": {"Connection", "AsyncConnection"},
    "sqlalchemy": {
        *(
            "Connection",
            "AsyncConnection",
            "Session",
            "AsyncSession",
            "scoped_session",
            "async_scoped_session",
        )
    },
}


class PostgresTransactional(Base):
    """Fulfils `ports.transactional.Transactional`."""

    async def enqueue_within(self, connection: Any, requests: Sequence[NewExecution]) -> list[Enqueued]:
        """See `ports.transactional.Transactional`."""
        answers: list[Enqueued] = []
        library = _library_of(connection)
        for start in range(0, len(requests), _BATCH):
            batch = requests[start : start + _BATCH]
            try:
                rows = await self._rows(library, connection, batch)
            except Exception as error:
                if (ours := refused(error)) is not None:
                    raise ours from error
                raise
            answers += enqueuing.answers(batch, rows)
        return answers

    async def _rows(self, library: str, connection: Any, batch: Sequence[NewExecution]) -> Any:
        if library == "asyncpg":
            return await self._through_asyncpg(connection, batch)
        if not inspect.iscoroutinefunction(getattr(connection, "execute", None)):
            return await asyncio.to_thread(self._block, library, connection, batch)
        if library == "psycopg":
            return await self._through_psycopg(connection, batch)
        return await self._through_async_sqlalchemy(connection, batch)

    def _block(self, library: str, connection: Any, batch: Sequence[NewExecution]) -> Any:
        if library == "sqlalchemy":
            # A session has its connection in `connection()`, a connection the driver's in the attribute of that name.
            held: Any = connection.connection
            lower: Any = connection.connection() if inspect.ismethod(held) else connection
            _refuse_autocommitting_driver(lower.connection.dbapi_connection)
            return connection.execute(*self._for_sqlalchemy(batch)).all()
        from psycopg.rows import tuple_row

        _refuse_autocommit(connection)
        with connection.cursor(row_factory=tuple_row) as cursor:
            return cursor.execute(*self._for_psycopg(batch)).fetchall()

    async def _through_asyncpg(self, connection: Any, batch: Sequence[NewExecution]) -> Any:
        if not connection.is_in_transaction():
            raise UsageError(
                "the asyncpg connection is in no transaction: call this within `async with connection.transaction():`"
            )
        marks = [f"${number}" for number in range(1, len(enqueuing.TYPES) + 1)]
        return await connection.fetch(_call(marks), self._queue_name, *self._parameters(batch))

    async def _through_psycopg(self, connection: Any, batch: Sequence[NewExecution]) -> Any:
        from psycopg.rows import tuple_row

        _refuse_autocommit(connection)
        async with connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(*self._for_psycopg(batch))
            return await cursor.fetchall()

    async def _through_async_sqlalchemy(self, connection: Any, batch: Sequence[NewExecution]) -> Any:
        is_session = inspect.iscoroutinefunction(inspect.getattr_static(connection, "connection", None))
        lower: Any = await connection.connection() if is_session else connection
        _refuse_autocommitting_driver((await lower.get_raw_connection()).dbapi_connection)
        return (await connection.execute(*self._for_sqlalchemy(batch))).all()

    def _for_psycopg(self, batch: Sequence[NewExecution]) -> tuple[str, list[Any]]:
        return _call(["%s"] * len(enqueuing.TYPES)), [self._queue_name, *self._parameters(batch)]

    def _for_sqlalchemy(self, batch: Sequence[NewExecution]) -> tuple[Any, dict[str, Any]]:
        from sqlalchemy import text

        names = [f"p{number}" for number in range(len(enqueuing.TYPES))]
        values = dict(zip(names, [self._queue_name, *self._parameters(batch)], strict=True))
        return text(_call([f":{name}" for name in names])), values

    def _parameters(self, batch: Sequence[NewExecution]) -> list[Any]:
        _, *rest = enqueuing.parameters(self._number, batch, self._now())
        return rest


def _call(marks: Sequence[str]) -> str:
    """Return the statement with these parameter marks, each cast to its type; the first is the queue's name."""
    _, *types = enqueuing.TYPES
    rest = ", ".join(
        f"CAST({mark} AS {kind})"
        if kind in {"bigint", "bytea[]"}
        else f"CAST(CAST({mark} AS text) AS {kind})"  # an array's literal
        for mark, kind in zip(marks[1:], types, strict=True)
    )
    return statement("enqueue_within").format(name=f"CAST({marks[0]} AS text)", rest=rest)


def _library_of(connection: Any) -> str:
    for kind in type(connection).__mro__:
        library = kind.__module__.partition(".")[0]
        if kind.__name__ in _KINDS.get(library, ()):
            return library
    raise UsageError(
        f"connection= takes a connection of asyncpg, psycopg (3) or SQLAlchemy, or a SQLAlchemy session, "
        f"not a {_named(connection)}"
    )


def _named(connection: Any) -> str:
    return f"{type(connection).__module__}.{type(connection).__qualname__}"


def _refuse_autocommitting_driver(driver: Any) -> None:
    if getattr(driver, "autocommit", False):
        raise UsageError(
            "the SQLAlchemy connection commits by itself (isolation level AUTOCOMMIT): a rollback would not take back what is "
            "enqueued. Use one with another isolation level."
        )


def _refuse_autocommit(connection: Any) -> None:
    idle = int(connection.info.transaction_status) == 0
    if connection.autocommit and idle:
        raise UsageError(
            "the psycopg connection commits by itself and is in no transaction: call this within `with connection.transaction():`"
        )
