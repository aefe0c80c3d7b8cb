"""The engine that the settings choose."""

import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from netscript_workers import config
from netscript_workers.domain.message import NO_TERMS, Terms
from netscript_workers.errors import ConfigError
from netscript_workers.wiring.reaching import reach

if TYPE_CHECKING:
    from netscript_workers.ports.engine import Engine


def engine_for(settings: config.Settings, terms: Terms = NO_TERMS) -> "Engine":
    """Return the engine that `settings` choose, not yet opened; raises `ConfigError` for one this version has not.

    `terms` say how a worker reads what other programs put into the queue.
    """
    provider = config.resolve_provider(settings).provider
    if provider is config.Provider.MEMORY:
        from netscript_workers.engines.memory import MemoryEngine

        return MemoryEngine()
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
    await reach(engine, settings)
    try:
        yield engine
    finally:
        await engine.close()
