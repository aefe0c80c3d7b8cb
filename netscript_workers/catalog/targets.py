"""The catalog itself: targets by id, and what was found wrong on the way."""

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from netscript_workers.authoring.handler import Handler
from netscript_workers.authoring.loading import HandlerRef
from netscript_workers.domain.problem import Problem
from netscript_workers.domain.target import Concept, Target

_NEAREST = 3


class Catalog:
    """All jobs and tasks of a project. Read only; a reload makes a new one.

    `targets` is ordered by id. `problems` are findings of the scan; a target that could not be had is absent,
    the others are there all the same. `handlers` holds the loaded handler of each job, as this process
    imported it.
    """

    def __init__(
        self,
        targets: Mapping[str, Target],
        problems: tuple[Problem, ...] = (),
        handlers: Mapping[str, Handler] | None = None,
    ) -> None:
        self.targets: Mapping[str, Target] = MappingProxyType(dict(sorted(targets.items())))
        self.problems = problems
        self.handlers: Mapping[str, Handler] = MappingProxyType(dict(handlers or {}))

    def nearest(self, target_id: str) -> list[str]:
        """Return up to three ids that look like `target_id`, the nearest first."""
        return difflib.get_close_matches(target_id.lower().replace("_", "-"), self.targets, n=_NEAREST)

    def handler_refs(self) -> list[HandlerRef]:
        """Say where the handler of each job is, for the runners."""
        return [
            HandlerRef(target.id, target.path, target.attribute)
            for target in self.targets.values()
            if target.concept is Concept.JOB
        ]

    def sync_jobs(self) -> frozenset[str]:
        """Return the ids of jobs whose handler is a plain function (in `in-process` mode it cannot be stopped)."""
        return frozenset(id for id, handler in self.handlers.items() if not handler.is_async)
