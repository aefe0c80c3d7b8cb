"""How a command gets at the project and its queue."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from netscript_workers.domain.problem import Problem, Severity
from netscript_workers.errors import ConfigError

if TYPE_CHECKING:
    from netscript_workers.config import LoadOptions, Settings
    from netscript_workers.ports.engine import Engine

T = TypeVar("T")


def settings_of(options: "LoadOptions") -> "Settings":
    """Load the settings alone: no job module is imported. Raises `ConfigError` naming every error."""
    from netscript_workers import config

    loaded = config.load(options)
    if loaded.settings is None:
        errors = [p for p in loaded.problems if p.severity is Severity.ERROR]
        lines = "\n".join(f"  {told(problem)}" for problem in errors)
        raise ConfigError(f"the configuration cannot be used:\n{lines}\nSee them all with: workers validate")
    return loaded.settings


def with_engine(settings: "Settings", use: "Callable[[Engine], Awaitable[T]]") -> T:
    """Open the queue that `settings` name, await `use` with it, close it again and return what `use` returned."""
    import asyncio

    from netscript_workers import wiring

    async def opened() -> T:
        async with wiring.open_engine(settings) as engine:
            return await use(engine)

    return asyncio.run(opened())


def told(problem: Problem) -> str:
    """Write one problem on one line: place, code, message, hint."""
    place = problem.file or ""
    if problem.line is not None:
        place += f":{problem.line}" + (f":{problem.column}" if problem.column is not None else "")
    subject = f"{problem.path}: " if problem.path else ""
    hint = f" ({problem.hint})" if problem.hint else ""
    return f"{place}{': ' if place else ''}{problem.code} {subject}{problem.message}{hint}"
