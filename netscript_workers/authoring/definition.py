"""What `@job` leaves on a function: its id and options, and where it stands. There is no registry."""

from typing import Any, Final, NamedTuple

ATTRIBUTE: Final = "__netscript_job__"


class Unresolved:
    """Stands for an annotation that could not be read yet (a name that the module defines further down)."""


UNRESOLVED: Final = Unresolved()


class JobDefinition(NamedTuple):
    """One `@job`. `id` None (of `define_job_handler`) means: the file's stem names it.

    `options` holds checked values for the fields of `Declaration`; `annotation` that of the payload
    parameter, if it could be read already where the function was defined (its class may be local to a
    function, a test say).
    """

    id: str | None
    options: dict[str, Any]
    file: str
    line: int
    annotation: Any


def definition_of(function: object) -> JobDefinition | None:
    """Return the definition on `function`, None when it is not a job."""
    found = getattr(function, ATTRIBUTE, None)
    return found if isinstance(found, JobDefinition) else None
