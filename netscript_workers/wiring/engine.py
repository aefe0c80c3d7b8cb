"""The engine that the settings choose."""

import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from netscript_workers import config
from netscript_workers.errors import ConfigError

if TYPE_CHECKING:
    from netscript_workers.engines.redis import RedisEngine
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
    if provider is config.Provider.REDIS:
        return _with_archive(settings, _redis(settings))
    raise ConfigError(
        f"the queue provider {provider.value} is not available in this version. "
        'Set queue_provider = "deno-kv", or unset the URL that chose it.'
    )


async def erase_queue(settings: config.Settings) -> None:
    """Delete the queue of `settings` with all that it holds from its server; one in a file or in memory is left alone."""
    if config.resolve_provider(settings).provider is config.Provider.REDIS:
        engine = _redis(settings)
        await engine.open()
        try:
            await engine.erase()
        finally:
            await engine.close()


def _redis(settings: config.Settings) -> "RedisEngine":
    url = settings.connections.redis_url
    if url is None:
        raise ConfigError(
            "the queue provider is redis, but nothing says where it is. "
            'Set connections.redis_url or REDIS_URL, for instance to "redis://localhost:6379/0".'
        )
    from netscript_workers.engines.redis import RedisEngine

    return RedisEngine(url.reveal(), settings.queue_name, shown=str(url))


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
