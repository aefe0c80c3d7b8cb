"""Brings the schema to the newest layout: numbered migrations, in one transaction, one process at a time."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

from netscript_workers.engines.postgres.connection import Connections
from netscript_workers.engines.postgres.statements import migrations, statement
from netscript_workers.errors import EngineFormatError
from netscript_workers.ports.tables import Horizon, Layout

if TYPE_CHECKING:
    from netscript_workers.engines.postgres.connection import Connection

T = TypeVar("T")
_BOUND_S: Final = 3600.0  # a new index on a long history takes its time
_LOCK: Final = 0x6E657473  # "nets": one number for every process that migrates


async def layout_of(connections: Connections) -> Layout:
    """Look at the database; changes nothing."""
    return await connections.transaction(_look)


async def migrate(connections: Connections) -> Layout:
    """Apply what is outstanding and return the layout that was found; raises `EngineFormatError` for a newer one."""

    async def apply(connection: "Connection") -> Layout:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        found = await _look(connection)  # another process may have done it meanwhile
        if found.found == 0:
            await connection.execute(statement("found_schema"))
        for number, name, text in migrations():
            if number > found.found:
                await connection.execute(text)
                await connection.execute(statement("note_migration"), number, name)
        return found

    found = await layout_of(connections)
    if (
        found.found < found.needed
    ):  # in another transaction: this one's idea of what tables there are may be old by now
        found = await connections.transaction(apply, bound_s=_BOUND_S)
    refuse_newer(found, connections.shown)
    return found


def refuse_newer(layout: Layout, shown: str) -> None:
    """Raise `EngineFormatError` for a database that a newer version has migrated."""
    if layout.found > layout.needed:
        raise EngineFormatError(
            f"the tables in PostgreSQL at {shown} are of a newer netscript-workers (layout {layout.found}, this one knows "
            f"{layout.needed}). Upgrade this installation."
        )


async def _look(connection: "Connection") -> Layout:
    known = migrations()
    there = await connection.fetchval(statement("is_there"))
    found = (
        await connection.fetchval("SELECT coalesce(max(number), 0) FROM netscript.migration") if there else 0
    )
    return Layout(
        found=found,
        needed=known[-1][0],
        outstanding=tuple(name for number, name, _ in known if number > found),
    )


class PostgresTables:
    """Fulfils `ports.tables.Tables`; connects anew for each call."""

    def __init__(self, url: str, *, shown: str = "(a database)") -> None:
        """Serve the database at `url`; `shown` names it in messages (the masked URL)."""
        self._url = url
        self._shown = shown

    async def status(self) -> Layout:
        """See `ports.tables.Tables`."""
        return await self._opened(layout_of)

    async def upgrade(self) -> Layout:
        """See `ports.tables.Tables`."""
        return await self._opened(migrate)

    async def horizon(self) -> Horizon | None:
        """See `ports.tables.Tables`."""

        async def look(connections: Connections) -> Horizon | None:
            rows = await connections.run(statement("look_at_horizon"))
            names = ("kind", "name", "pid", "state", "age_ms", "behind")
            return Horizon(**dict(zip(names, rows[0], strict=True))) if rows else None

        return await self._opened(look)

    async def _opened(self, use: Callable[[Connections], Awaitable[T]]) -> T:
        connections = Connections(self._url, self._shown)
        await connections.open()
        try:
            return await use(connections)
        finally:
            await connections.close()
