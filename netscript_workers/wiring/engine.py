"""The engine that the settings choose."""

import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from netscript_workers import config
from netscript_workers.domain.message import NO_TERMS, Terms
from netscript_workers.errors import ConfigError

if TYPE_CHECKING:
    from netscript_workers.config.secret import SecretUrl
    from netscript_workers.ports.archive import AgeingEngine, Archive
    from netscript_workers.ports.engine import Engine
    from netscript_workers.ports.tables import Tables


def engine_for(settings: config.Settings, terms: Terms = NO_TERMS, *, migrate: bool = True) -> "Engine":
    """Return the engine that `settings` choose, with its archive, not yet opened.

    `terms` say how a worker reads what other programs put into the queue. `migrate` false: tables of an older layout are an
    error when a database is opened, not brought up to date. Raises `ConfigError` for an engine that this version has not.
    """
    provider = config.resolve_provider(settings).provider
    if provider is config.Provider.MEMORY:
        from netscript_workers.engines.memory import MemoryEngine

        return MemoryEngine()
    if provider is config.Provider.POSTGRES:
        from netscript_workers.engines.postgres import PostgresEngine

        url = _database_url(settings, "queue_provider is postgres")
        return PostgresEngine(url.reveal(), settings.queue_name, shown=str(url), migrate=migrate)
    live = _live_engine(settings, provider, terms)
    archive = _archive(settings, migrate=migrate)
    if archive is None:
        return live
    from netscript_workers.engines.archived import ArchivedEngine

    return ArchivedEngine(live, archive)


def _archive(settings: config.Settings, *, migrate: bool) -> "Archive | None":
    """Return the archive outside the live engine's store; None where the engine keeps its own."""
    place, _ = config.resolve_archive(settings)
    if place is config.ArchivePlace.OWN:
        return None
    if place is config.ArchivePlace.SQLITE:
        from netscript_workers.engines.deno_kv import SqliteArchive

        return SqliteArchive(settings.connections.deno_kv_path, settings.queue_name)
    from netscript_workers.engines.postgres import PostgresArchive

    url = _database_url(settings, "the archive is in PostgreSQL")
    return PostgresArchive(url.reveal(), settings.queue_name, shown=str(url), migrate=migrate)


def _database_url(settings: config.Settings, why: str) -> "SecretUrl":
    url = settings.connections.database_url
    if url is None:
        raise ConfigError(f"{why}, and nothing says where. Set connections.database_url, or DATABASE_URL.")
    return url


def _live_engine(settings: config.Settings, provider: config.Provider, terms: Terms) -> "AgeingEngine":
    if provider is config.Provider.DENO_KV:
        from netscript_workers.engines.deno_kv import DenoKvEngine

        return DenoKvEngine(settings.connections.deno_kv_path, settings.queue_name, terms=terms)
    raise ConfigError(
        f"the queue provider {provider.value} is not available in this version. "
        'Set queue_provider = "deno-kv" or "postgres", or unset the URL that chose it.'
    )


def tables_of(settings: config.Settings) -> "Tables":
    """Return the tables of the database that `settings` name; raises `ConfigError` when they name none."""
    from netscript_workers.engines.postgres import PostgresTables

    url = _database_url(settings, "the tables are in PostgreSQL")
    return PostgresTables(url.reveal(), shown=str(url))


@contextlib.asynccontextmanager
async def open_engine(settings: config.Settings) -> AsyncGenerator["Engine"]:
    """Open the engine of `settings` for the time of a `with`; raises as `Engine.open` does."""
    engine = engine_for(settings)
    await engine.open()
    try:
        yield engine
    finally:
        await engine.close()
