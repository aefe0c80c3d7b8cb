"""Reaching the store, and saying what cannot be reached: which server, and the setting that names it."""

import asyncio
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from netscript_workers import config
from netscript_workers.errors import EngineError, EngineFormatError, EngineUnavailableError
from netscript_workers.ports.engine import Probing

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from netscript_workers.ports.engine import Engine

COMMAND_BOUND_MS: Final = 15_000
"""How long a command tries to reach the store; a daemon has `connect_timeout`."""

_KEY_OF: Final = {
    config.Provider.REDIS: "redis_url",
    config.Provider.POSTGRES: "database_url",
    config.Provider.AMQP: "amqp_url",
    config.Provider.DENO_KV: "deno_kv_path",
}
_URLS: Final = ("amqp_url", "redis_url", "database_url")


async def reach(engine: "Engine", settings: config.Settings, within_ms: int = COMMAND_BOUND_MS) -> None:
    """Open `engine` within a bound; an `EngineUnavailableError` names the setting that leads to the store."""
    await _told(engine.open(), settings, within_ms)


async def probe(engine: "Engine", settings: config.Settings, within_ms: int) -> None:
    """See whether `engine` could be opened, as `reach` does, and make nothing in its store where the engine can tell."""
    if isinstance(engine, Probing):
        await _told(engine.probe(), settings, within_ms)
        return
    await _told(engine.open(), settings, within_ms)
    await engine.close()


async def _told(reaching: "Awaitable[None]", settings: config.Settings, within_ms: int) -> None:
    try:
        async with asyncio.timeout(within_ms / 1000):
            await reaching
    except EngineFormatError:
        raise
    except EngineError as error:
        raise EngineUnavailableError(_named(str(error), settings)) from error
    except TimeoutError as error:
        what = f"the queue ({config.resolve_provider(settings).provider.value}) did not answer within {within_ms} ms"
        raise EngineUnavailableError(
            _named(f"{what}. Is its server running, and does the network lead there?", settings)
        ) from error


def _named(message: str, settings: config.Settings) -> str:
    """Add to `message` where the settings of the servers it is about come from."""
    provider, why = config.resolve_provider(settings)
    keys = [key for key in _URLS if _is_about(message, getattr(settings.connections, key))]
    if not keys and provider in _KEY_OF:
        keys = [_KEY_OF[provider]]
    origins = " and ".join(settings.said_by("connections", key) for key in keys)
    named = f" The store is named by {origins}" if origins else " The store was chosen"
    return f"{message.rstrip('.')}.{named} ({why})."


def _is_about(message: str, url: config.SecretUrl | None) -> bool:
    if url is None:
        return False
    if "://" in (shown := str(url)) and shown in message:  # a list of nodes has no place of its own
        return True
    try:
        parts = urlsplit(url.reveal())
        place = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    except ValueError:
        return False
    return place is not None and place in message
