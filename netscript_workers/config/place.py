"""Places: which file, line and column a key path of the config stands at."""

from typing import Any, NamedTuple

from netscript_workers.domain.problem import Problem

KeyPath = tuple[str | int, ...]


class Position(NamedTuple):
    """A line and a column, both counted from 1, the column in characters."""

    line: int
    column: int


class Place(NamedTuple):
    """A key path with its position; None where the file cannot tell."""

    path: KeyPath = ()
    file: str | None = None
    line: int | None = None
    column: int | None = None


NOWHERE = Place()


class PlacedDict(dict[str, Any]):
    """A table read from the config that knows its place."""

    def __init__(self, place: Place) -> None:
        """Start empty, at `place`."""
        super().__init__()
        self.place = place


def dotted(path: KeyPath) -> str:
    """Write a key path with dots and indexes: `groups[0].jobs[1].timeout`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def problem_at(code: str, place: Place, message: str, hint: str = "") -> Problem:
    """Return the problem `code` at `place`."""
    return Problem(
        code=code,
        message=message,
        hint=hint,
        path=dotted(place.path),
        file=place.file,
        line=place.line,
        column=place.column,
    )
