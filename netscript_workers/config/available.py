"""What this version cannot do yet. `validate` warns of it; a daemon that needs it refuses to start (78)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from netscript_workers.config.place import Place, problem_at
from netscript_workers.domain.problem import Problem

if TYPE_CHECKING:
    from netscript_workers.config.settings import Settings

# The API belongs to a command of its own: no other daemon needs it.
REFUSED_BY_DAEMON: Final = frozenset(f"W{number}" for number in range(103, 110))
_LATER: Final = "not available in this version"


def unavailable(settings: "Settings") -> list[Problem]:
    """Return what `settings` ask for and this version cannot do, as warnings W103 and up.

    Those in `REFUSED_BY_DAEMON` stop a daemon; the others concern commands that do not exist yet.
    """
    return list(_around(settings))


def _around(settings: "Settings") -> Iterator[Problem]:
    if settings.telemetry_variables:
        message = f"exporting telemetry ({', '.join(settings.telemetry_variables)}) is {_LATER}"
        yield problem_at("W109", Place(), message, "unset it for this daemon, or set it to “none”")
    if settings.is_written("api"):
        place = settings.place_of("api")
        yield problem_at("W111", place, f"the HTTP API (`workers api`) is {_LATER}; [api] waits for it")
