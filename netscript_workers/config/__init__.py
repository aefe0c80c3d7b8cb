"""Settings: where they come from, who won, and everything that is wrong with them.

Names are handed on when first asked for: naming this package loads no pydantic.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from netscript_workers.config.available import REFUSED_BY_DAEMON, unavailable
    from netscript_workers.config.capacity import pool_for
    from netscript_workers.config.choices import LogFormat, LogLevel, Provider, SandboxPolicy, ScalingMode
    from netscript_workers.config.codes import CODES
    from netscript_workers.config.dangers import Subject, hazards
    from netscript_workers.config.loading import load
    from netscript_workers.config.options import Loaded, LoadOptions, Origin, OriginKind
    from netscript_workers.config.plan import Plan, make_plan
    from netscript_workers.config.provider import ResolvedProvider, resolve_provider
    from netscript_workers.config.runtime_dir import read_runtime_dir
    from netscript_workers.config.runtime_files import fingerprint
    from netscript_workers.config.schema import json_schema
    from netscript_workers.config.secret import Secret, SecretUrl
    from netscript_workers.config.settings import Settings

__all__ = [
    "CODES",
    "REFUSED_BY_DAEMON",
    "LoadOptions",
    "Loaded",
    "LogFormat",
    "LogLevel",
    "Origin",
    "OriginKind",
    "Plan",
    "Provider",
    "ResolvedProvider",
    "SandboxPolicy",
    "ScalingMode",
    "Secret",
    "SecretUrl",
    "Settings",
    "Subject",
    "fingerprint",
    "hazards",
    "json_schema",
    "load",
    "make_plan",
    "pool_for",
    "read_runtime_dir",
    "resolve_provider",
    "unavailable",
]

_HOMES: Final = {
    "CODES": "codes",
    "LoadOptions": "options",
    "Loaded": "options",
    "LogFormat": "choices",
    "LogLevel": "choices",
    "Origin": "options",
    "OriginKind": "options",
    "Plan": "plan",
    "Provider": "choices",
    "REFUSED_BY_DAEMON": "available",
    "ResolvedProvider": "provider",
    "SandboxPolicy": "choices",
    "ScalingMode": "choices",
    "Secret": "secret",
    "SecretUrl": "secret",
    "Settings": "settings",
    "Subject": "dangers",
    "fingerprint": "runtime_files",
    "hazards": "dangers",
    "json_schema": "schema",
    "load": "loading",
    "make_plan": "plan",
    "pool_for": "capacity",
    "read_runtime_dir": "runtime_dir",
    "resolve_provider": "provider",
    "unavailable": "available",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    # Importing a module binds its name here, and two modules have the name of what they hand on: the value comes last.
    globals()[name] = value
    return value
