"""The engine that the settings choose."""

import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from netscript_workers import config
from netscript_workers.errors import ConfigError

if TYPE_CHECKING:
    from netscript_workers.ports.engine import Engine


def engine_for(settings: config.Settings, *, migrate: bool = True) -> "Engine":
    """Return the engine that `settings` choose, not yet opened; raises `ConfigError` for one this version has not.

    `migrate` false: tables of an older layout are an error when it is opened, not brought up to date.
    """
    provider = config.resolve_provider(settings).provider
    if provider is config.Provider.MEMORY:
        from netscript_workers.engines.memory import MemoryEngine

        return MemoryEngine()
    if provider is config.Provider.DENO_KV:
        from netscript_workers.engines.deno_kv import DenoKvEngine

        return DenoKvEngine(settings.connections.deno_kv_path, settings.queue_name)
    if provider is config.Provider.POSTGRES:
        from netscript_workers.engines.postgres import PostgresEngine

        url = settings.connections.database_url
        if url is None:
            raise ConfigError(
                "queue_provider is postgres, and no database_url says where. Set connections.database_url, or DATABASE_URL."
            )
        return PostgresEngine(url.reveal(), settings.queue_name, shown=str(url), migrate=migrate)
    raise ConfigError(
        f"the queue provider {provider.value} is not available in this version. "
        'Set queue_provider = "deno-kv" or "postgres", or unset the URL that chose it.'
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
