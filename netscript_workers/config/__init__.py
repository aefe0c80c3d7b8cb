"""Settings: where they come from, who won, and everything that is wrong with them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netscript_workers.config.load import load
    from netscript_workers.config.options import Loaded, LoadOptions, Origin, OriginKind
    from netscript_workers.config.settings import Settings

__all__ = ["LoadOptions", "Loaded", "Origin", "OriginKind", "Settings", "load"]

# Handed on lazily, so that naming this package does not load pydantic.
_HOMES = {
    "LoadOptions": "options",
    "Loaded": "options",
    "Origin": "options",
    "OriginKind": "options",
    "Settings": "settings",
    "load": "load",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
