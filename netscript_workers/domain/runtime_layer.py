"""What the runtime directory says: tasks of its own, and overrides of jobs by id, each in its live version (SPEC section 8)."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from netscript_workers.domain.problem import Problem, Severity
from netscript_workers.domain.target import Declaration

ALL_TOPICS: Final = "*"


class RuntimeLayer(msgspec.Struct, frozen=True, kw_only=True):
    """The live content of the runtime directory.

    `tasks` are declarations of the source `runtime`. `overrides` gives by topic (`ALL_TOPICS`: every topic that is not named)
    the fields of targets that are replaced, by id. `files` says which files are live, for people.
    """

    tasks: tuple[Declaration, ...] = ()
    overrides: Mapping[str, Mapping[str, Mapping[str, Any]]] = {}
    files: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def is_broken(self) -> bool:
        """Whether something in it is wrong, so that the last good one is to stay."""
        return any(problem.severity is Severity.ERROR for problem in self.problems)

    def fields_for(self, target_id: str, topic: str) -> Mapping[str, Any]:
        """Return what is overridden of a target; empty for most."""
        by_id = self.overrides.get(topic)
        if by_id is None:
            by_id = self.overrides.get(ALL_TOPICS, {})
        return by_id.get(target_id, {})

    def overridden(self) -> dict[str, str]:
        """Return every id that some version overrides, with the topic under which it does."""
        return {target_id: topic for topic, by_id in self.overrides.items() for target_id in by_id}
