"""Jobs and tasks of the file that have no id to go by: they are taken out, and their files are to be looked at all the same."""

from collections.abc import Collection
from typing import Any, Final, cast

from netscript_workers.config.place import KeyPath, Place, PlacedDict
from netscript_workers.config.pruning import value_at
from netscript_workers.domain.target import Concept, Declaration, Source, TaskType

_CONCEPTS: Final = {"jobs": Concept.JOB, "tasks": Concept.TASK}
_ENTRYPOINT: Final = "entrypoint"


class Nameless:
    """Collects them while the tree is still whole."""

    def __init__(self, tree: PlacedDict) -> None:
        """Look into `tree`."""
        self._tree = tree
        self._found: dict[KeyPath, tuple[Place, Declaration]] = {}

    def note(self, wrong: KeyPath) -> None:
        """Hear of a key that is wrong or missing; what is no id of a job or task does not matter."""
        path = wrong[:-1]
        concept = _CONCEPTS.get(str(path[-2])) if wrong[-1:] == ("id",) and len(path) > 1 else None
        table: Any = value_at(self._tree, path)
        if concept is None or not isinstance(table, PlacedDict):
            return
        entrypoint = table.get(_ENTRYPOINT)
        if isinstance(entrypoint, str):
            declaration = Declaration(
                id="",
                concept=concept,
                source=Source.CONFIG,
                file=table.place.file,
                line=table.place.line,
                entrypoint=entrypoint,
                type=TaskType.DOTNET if cast("Any", table.get("type")) == TaskType.DOTNET else None,
            )
            self._found[path] = (table.place, declaration)

    def found(self, wrong: Collection[KeyPath]) -> tuple[tuple[Place, Declaration], ...]:
        """Return those whose entrypoint is not among the `wrong` keys itself, each with its place."""
        return tuple(one for path, one in self._found.items() if (*path, _ENTRYPOINT) not in wrong)
