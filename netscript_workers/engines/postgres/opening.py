"""How a queue in PostgreSQL is opened: reach the server, see to the tables, find the queue's number."""

from netscript_workers.engines.postgres.connection import Connections
from netscript_workers.engines.postgres.migrating import layout_of, migrate, refuse_newer
from netscript_workers.engines.postgres.statements import statement
from netscript_workers.errors import EngineError, EngineFormatError, EngineUnavailableError
from netscript_workers.ports.tables import Upkeep


async def number_of(connections: Connections, queue_name: str, *, upkeep: Upkeep) -> int:
    """Open `connections` and return the number of `queue_name`.

    Raises `EngineUnavailableError` and `EngineFormatError`; nothing is left open then.
    """
    await connections.open()
    try:
        await _see_to_tables(connections, upkeep)
        rows = await connections.run(statement("number_queue"), queue_name)
        if not rows:  # another process made it at this moment
            rows = await connections.run(statement("number_queue"), queue_name)
    except (EngineFormatError, EngineUnavailableError):
        await connections.close()
        raise
    except EngineError as error:
        await connections.close()
        raise EngineUnavailableError(str(error)) from error
    except BaseException:
        await connections.close()
        raise
    return int(rows[0][0])


async def look(connections: Connections) -> None:
    """See whether the tables could be used or brought up to date, and change nothing; as `number_of` raises. Closes again."""
    await connections.open()
    try:
        refuse_newer(await layout_of(connections), connections.shown)
    except (EngineFormatError, EngineUnavailableError):
        raise
    except EngineError as error:
        raise EngineUnavailableError(str(error)) from error
    finally:
        await connections.close()


async def _see_to_tables(connections: Connections, upkeep: Upkeep) -> None:
    layout = await layout_of(connections)
    refuse_newer(layout, connections.shown)
    if not layout.outstanding:
        return
    if upkeep is Upkeep.LEAVE or (upkeep is Upkeep.FOUND and layout.found > 0):
        raise EngineFormatError(
            f"the tables in PostgreSQL at {connections.shown} are of layout {layout.found}, this version needs "
            f"{layout.needed}. Run `workers db upgrade`, or start a daemon of this version without --no-migrate."
        )
    await migrate(connections)
