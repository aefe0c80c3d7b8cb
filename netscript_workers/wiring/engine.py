"""The engine that the settings choose."""

import contextlib
from collections.abc import AsyncGenerator
from enum import Enum
from typing import TYPE_CHECKING

from netscript_workers import config
from netscript_workers.domain.message import NO_TERMS, Terms
from netscript_workers.errors import ConfigError
from netscript_workers.ports.tables import Upkeep
from netscript_workers.wiring.reaching import reach

if TYPE_CHECKING:
    from netscript_workers.config.secret import SecretUrl
    from netscript_workers.ports.archive import AgeingEngine, Archive
    from netscript_workers.ports.engine import Engine
    from netscript_workers.ports.tables import Tables


class ArchiveUse(Enum):
    """When an archive outside the live engine's store is reached."""

    AT_ONCE = "at once"
    """with the engine, whose opening fails where it cannot be reached: for daemons"""
    ON_DEMAND = "on demand"
    """when somebody asks for old records: for those that enqueue and look"""
    NEVER = "never"
    """not at all: for a throw-away queue, whose old records nobody wants"""


def engine_for(
    settings: config.Settings,
    terms: Terms = NO_TERMS,
    *,
    upkeep: Upkeep = Upkeep.FOUND,
    archive: ArchiveUse = ArchiveUse.AT_ONCE,
) -> "Engine":
    """Return the engine that `settings` choose, with its archive, not yet opened.

    `terms` say how a worker reads what other programs put into the queue, `upkeep` what opening a database may do to its tables.
    Raises `ConfigError` for an engine that this version has not.
    """
    provider = config.resolve_provider(settings).provider
    if provider is not config.Provider.AMQP:
        return _store(provider, settings, terms, archive, upkeep=upkeep)
    from netscript_workers.engines.amqp import Address, AmqpEngine

    url = settings.connections.amqp_url
    if url is None:
        raise ConfigError('queue_provider = "amqp" needs a server: set connections.amqp_url (AMQP_URL)')
    records = config.resolve_records(settings).provider
    store = _store(records, settings, terms, archive, upkeep=upkeep)
    return AmqpEngine(store, Address.parse(url.reveal()), settings.queue_name, terms)


def _store(
    provider: config.Provider, settings: config.Settings, terms: Terms, archive: ArchiveUse, *, upkeep: Upkeep
) -> "Engine":
    """Return the engine that holds the records: the queue itself, or what stands behind RabbitMQ."""
    if provider is config.Provider.MEMORY:
        from netscript_workers.engines.memory import MemoryEngine

        return MemoryEngine()
    if provider is config.Provider.POSTGRES:
        from netscript_workers.engines.postgres import PostgresEngine

        url = _database_url(settings, "queue_provider is postgres")
        return PostgresEngine(url.reveal(), settings.queue_name, shown=str(url), upkeep=upkeep)
    live = _live_engine(settings, provider, terms)
    rest = None if archive is ArchiveUse.NEVER else _archive(settings, upkeep=upkeep)
    if rest is None:
        return live
    from netscript_workers.engines.archived import ArchivedEngine, OnDemand

    return ArchivedEngine(live, OnDemand(rest) if archive is ArchiveUse.ON_DEMAND else rest)


def _archive(settings: config.Settings, *, upkeep: Upkeep) -> "Archive | None":
    """Return the archive outside the live engine's store; None where the engine keeps its own."""
    place, _ = config.resolve_archive(settings)
    if place is config.ArchivePlace.OWN:
        return None
    if place is config.ArchivePlace.SQLITE:
        from netscript_workers.engines.deno_kv import SqliteArchive

        return SqliteArchive(settings.connections.deno_kv_path, settings.queue_name)
    from netscript_workers.engines.postgres import PostgresArchive

    url = _database_url(settings, "the archive is in PostgreSQL")
    return PostgresArchive(url.reveal(), settings.queue_name, shown=str(url), upkeep=upkeep)


def _database_url(settings: config.Settings, why: str) -> "SecretUrl":
    url = settings.connections.database_url
    if url is None:
        raise ConfigError(f"{why}, and nothing says where. Set connections.database_url, or DATABASE_URL.")
    return url


def _redis_url(settings: config.Settings) -> "SecretUrl":
    url = settings.connections.redis_url
    if url is None:
        raise ConfigError(
            "the queue provider is redis, but nothing says where it is. "
            'Set connections.redis_url or REDIS_URL, for instance to "redis://localhost:6379/0".'
        )
    return url


def _live_engine(settings: config.Settings, provider: config.Provider, terms: Terms) -> "AgeingEngine":
    if provider is config.Provider.DENO_KV:
        from netscript_workers.engines.deno_kv import DenoKvEngine

        return DenoKvEngine(settings.connections.deno_kv_path, settings.queue_name, terms=terms)
    if provider is config.Provider.REDIS:
        from netscript_workers.engines.redis import RedisEngine

        url = _redis_url(settings)
        return RedisEngine(url.reveal(), settings.queue_name, shown=str(url))
    raise ConfigError(
        f"the queue provider {provider.value} is not available in this version. "
        'Set queue_provider = "deno-kv", "redis" or "postgres", or unset the URL that chose it.'
    )


def tables_of(settings: config.Settings) -> "Tables":
    """Return the tables of the database that `settings` name; raises `ConfigError` when they name none."""
    from netscript_workers.engines.postgres import PostgresTables

    url = _database_url(settings, "the tables are in PostgreSQL")
    return PostgresTables(url.reveal(), shown=str(url))


@contextlib.asynccontextmanager
async def open_engine(
    settings: config.Settings, archive: ArchiveUse = ArchiveUse.AT_ONCE
) -> AsyncGenerator["Engine"]:
    """Open the engine of `settings` for the time of a `with`; raises as `Engine.open` does."""
    engine = engine_for(settings, archive=archive)
    await reach(engine, settings)
    try:
        yield engine
    finally:
        await engine.close()
