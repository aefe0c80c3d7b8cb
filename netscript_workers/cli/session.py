"""How a command gets at the project and its queue."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from netscript_workers.errors import ConfigError

if TYPE_CHECKING:
    from netscript_workers.config import LoadOptions, Settings
    from netscript_workers.ports.engine import Engine

T = TypeVar("T")


def settings_of(options: "LoadOptions") -> "Settings":
    """Load the settings alone: no job module is imported. Raises `ConfigError` naming every error."""
    from netscript_workers import config
    from netscript_workers.wiring.project import refusal

    loaded = config.load(options)
    if loaded.settings is None:
        raise ConfigError(refusal("the configuration cannot be used", loaded.problems))
    return loaded.settings


def with_engine(settings: "Settings", use: "Callable[[Engine], Awaitable[T]]") -> T:
    """Open the queue that `settings` name, await `use` with it, close it again and return what `use` returned."""
    import asyncio

    from netscript_workers import wiring

    async def opened() -> T:
        async with wiring.open_engine(settings, wiring.ArchiveUse.ON_DEMAND) as engine:
            return await use(engine)

    return asyncio.run(opened())
