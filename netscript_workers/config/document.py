"""A config file as read: what it says, where each key stands, and why it could not be read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from netscript_workers.config.place import KeyPath, Place, Position
from netscript_workers.domain.problem import Problem


class Document(NamedTuple):
    """What a config file says: its values as written, and the position of each key path."""

    file: Path | None
    values: Mapping[str, Any]
    positions: Mapping[KeyPath, Position]
    problems: list[Problem]

    def locate(self, path: KeyPath) -> Place:
        """Return the place of `path`, or of the nearest table around it whose position is known."""
        file = str(self.file) if self.file else None
        for length in range(len(path), -1, -1):
            position = self.positions.get(path[:length])
            if position is not None:
                return Place(path, file, position.line, position.column)
        return Place(path, file)
