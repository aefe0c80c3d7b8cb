"""What the scan collects on its way, before it becomes a catalog."""

from pathlib import Path
from typing import NamedTuple

from netscript_workers.authoring.handler import Handler
from netscript_workers.catalog import codes
from netscript_workers.domain.problem import Problem
from netscript_workers.domain.target import Declaration
from netscript_workers.errors import DefinitionError


class Found(NamedTuple):
    """One target, not yet resolved: its declarations, the config's first, and its confined file."""

    layers: tuple[Declaration, ...]
    path: str
    root: Path
    attribute: str | None = None
    handler: Handler | None = None

    @property
    def id(self) -> str:
        """The target's id."""
        return self.layers[0].id

    @property
    def place(self) -> str:
        """Where it is defined, for messages: file and line, as far as known."""
        first = self.layers[0]
        file = first.file or self.path
        return f"{file}:{first.line}" if first.line else file


class Findings:
    """Targets and problems so far."""

    def __init__(self) -> None:
        self.by_id: dict[str, Found] = {}
        self.problems: list[Problem] = []

    def add(self, found: Found) -> None:
        """Take in a target; a second one with its id is a problem that names both places, and the first one stays."""
        first = self.by_id.setdefault(found.id, found)
        if first is not found:
            declaration = found.layers[0]
            self.problems.append(
                Problem(
                    code=codes.DUPLICATE_ID,
                    message=f"two targets have the id {found.id!r}: {first.place} and {found.place}",
                    hint="give one of them another id",
                    file=declaration.file or found.path,
                    line=declaration.line,
                )
            )

    def report(self, error: DefinitionError, code: str, declaration: Declaration | None = None) -> None:
        """Turn an error into a problem; with `declaration`, at the place where that stands."""
        if declaration is not None:
            name = repr(declaration.id) if declaration.id else "without an id"
            message = f"{declaration.concept} {name}: {error}"
            file, line = declaration.file, declaration.line
        else:
            message, file, line = str(error), error.file, error.line
        self.problems.append(Problem(code=code, message=message, hint=error.hint, file=file, line=line))
