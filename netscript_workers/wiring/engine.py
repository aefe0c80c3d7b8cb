"""The engine that the settings choose."""

import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from netscript_workers import config
from netscript_workers.errors import ConfigError

if TYPE_CHECKING:
    from netscript_workers.ports.archive import AgeingEngine
    from netscript_workers.ports.engine import Engine


def engine_for(settings: config.Settings) -> "Engine":
    """Return the engine that `settings` choose, not yet opened; raises `ConfigError` for one this version has not."""
    provider = config.resolve_provider(settings).provider
    if provider is config.Provider.MEMORY:
        from netscript_workers.engines.memory import MemoryEngine

        return MemoryEngine()
    if provider is config.Provider.DENO_KV:
        from netscript_workers.engines.deno_kv import DenoKvEngine

        return DenoKvEngine(settings.connections.deno_kv_path, settings.queue_name)
    redis_url = settings.connections.redis_url
    if provider is config.Provider.REDIS:
        if redis_url is None:
            raise ConfigError(
                "the queue provider is redis, but nothing says where it is. "
                'Set connections.redis_url or REDIS_URL, for instance to "redis://localhost:6379/0".'
            )
        from netscript_workers.engines.redis import RedisEngine

        return _with_archive(
            settings, RedisEngine(redis_url.reveal(), settings.queue_name, shown=str(redis_url))
        )
    raise ConfigError(
        f"the queue provider {provider.value} is not available in this version. "
        'Set queue_provider = "deno-kv", or unset the URL that chose it.'
    )


def _with_archive(settings: config.Settings, live: "AgeingEngine") -> "Engine":
    """Give an engine that keeps no old records of its own the archive in this host's file."""
    from netscript_workers.engines.archived import ArchivedEngine
    from netscript_workers.engines.deno_kv import SqliteArchive

    return ArchivedEngine(live, SqliteArchive(settings.connections.deno_kv_path, settings.queue_name))


@contextlib.asynccontextmanager
async def open_engine(settings: config.Settings) -> AsyncGenerator["Engine"]:
    """Open the engine of `settings` for the time of a `with`; raises as `Engine.open` does."""
    engine = engine_for(settings)
    await engine.open()
    try:
        yield engine
    finally:
        await engine.close()
