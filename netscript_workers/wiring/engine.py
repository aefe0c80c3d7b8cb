"""The engine that the settings choose."""

import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from netscript_workers import config
from netscript_workers.domain.message import NO_TERMS, Terms
from netscript_workers.errors import ConfigError

if TYPE_CHECKING:
    from netscript_workers.ports.archive import AgeingEngine, Archive
    from netscript_workers.ports.engine import Engine


def engine_for(settings: config.Settings, terms: Terms = NO_TERMS) -> "Engine":
    """Return the engine that `settings` choose, with its archive, not yet opened.

    `terms` say how a worker reads what other programs put into the queue. Raises `ConfigError` for an engine that this
    version has not.
    """
    provider = config.resolve_provider(settings).provider
    if provider is config.Provider.MEMORY:
        from netscript_workers.engines.memory import MemoryEngine

        return MemoryEngine()
    live = _live_engine(settings, provider, terms)
    archive = _archive(settings)
    if archive is None:
        return live
    from netscript_workers.engines.archived import ArchivedEngine

    return ArchivedEngine(live, archive)


def _archive(settings: config.Settings) -> "Archive | None":
    """Return the archive outside the live engine's store; None where the engine keeps its own."""
    place, why = config.resolve_archive(settings)
    if place is config.ArchivePlace.OWN:
        return None
    if place is config.ArchivePlace.SQLITE:
        from netscript_workers.engines.deno_kv import SqliteArchive

        return SqliteArchive(settings.connections.deno_kv_path, settings.queue_name)
    raise ConfigError(f"the archive {why}: not available in this version. Unset database_url (DATABASE_URL).")


def _live_engine(settings: config.Settings, provider: config.Provider, terms: Terms) -> "AgeingEngine":
    if provider is config.Provider.DENO_KV:
        from netscript_workers.engines.deno_kv import DenoKvEngine

        return DenoKvEngine(settings.connections.deno_kv_path, settings.queue_name, terms=terms)
    raise ConfigError(
        f"the queue provider {provider.value} is not available in this version. "
        'Set queue_provider = "deno-kv", or unset the URL that chose it.'
    )


@contextlib.asynccontextmanager
async def open_engine(settings: config.Settings) -> AsyncGenerator["Engine"]:
    """Open the engine of `settings` for the time of a `with`; raises as `Engine.open` does."""
    engine = engine_for(settings)
    await engine.open()
    try:
        yield engine
    finally:
        await engine.close()
