"""Everything `workers validate` finds out, before anything is printed."""

import contextlib
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from netscript_workers.config.place import Place, dotted, problem_at
from netscript_workers.domain.problem import Problem, Severity

if TYPE_CHECKING:
    from netscript_workers.catalog import Catalog
    from netscript_workers.config import Loaded, LoadOptions, Origin, Plan, Settings

_UNREADABLE: Final = frozenset({"E001", "E002", "E003", "E004"})  # there is no config to look further into
_KEY_OF: Final = {"E104": "id", "E105": "entrypoint", "E106": "entrypoint"}


class Wanted(NamedTuple):
    """What the options ask for beyond the plain verdict. `max_memory` is bytes."""

    connect: bool = False
    max_memory: int | None = None


class Verdict(NamedTuple):
    """The findings in the order of the file, the effective values with their origins, and the plan (None: no config)."""

    loaded: "Loaded"
    errors: list[Problem]
    warnings: list[Problem]
    effective: dict[str, Any]
    origins: "Mapping[str, Origin]"
    plan: "Plan | None"

    def to_json(self, *, valid: bool, explain: bool) -> dict[str, Any]:
        """Return the object of SPEC section 15; `--explain` adds the plan."""
        shown: dict[str, Any] = {
            "valid": valid,
            "file": str(self.loaded.file) if self.loaded.file else None,
            "errors": [_record(problem) for problem in self.errors],
            "warnings": [_record(problem) for problem in self.warnings],
            "effective": self.effective,
            "origins": {
                path: {"value": origin.value, "source": origin.source.value, "detail": origin.detail}
                for path, origin in self.origins.items()
            },
        }
        if explain:
            shown["plan"] = self.plan.to_json() if self.plan else None
        return shown


def judge(options: "LoadOptions", wanted: Wanted) -> Verdict:
    """Load the config, import the job modules, and find everything that is wrong or hazardous, in one go."""
    from netscript_workers import config
    from netscript_workers.cli.effective import effective_values
    from netscript_workers.wiring.project import nameless_problems

    loaded = config.load(options)
    settings = loaded.partial
    problems = list(loaded.problems)
    if any(problem.code in _UNREADABLE for problem in problems):
        effective, origins = effective_values(loaded, None)
        return Verdict(loaded, *_parted(problems), effective, origins, None)
    catalog = _scan(settings)
    problems += _placed([*catalog.problems, *nameless_problems(loaded)], loaded, problems)
    lines = {id: handler.declaration.line or 1 for id, handler in catalog.handlers.items()}
    subject = config.Subject(
        targets=catalog.targets,
        sync_jobs=catalog.sync_jobs(),
        lines=lines,
        environ=options.environ,
        topics=options.topics,
    )
    problems += config.hazards(settings, subject)
    problems += config.unavailable(settings)
    problems += _unenforceable(settings, catalog)
    plan = config.make_plan(loaded, settings, catalog.targets)
    problems += _over_memory(plan, wanted.max_memory)
    if wanted.connect and loaded.settings is not None:
        problems += _reach(settings)
    effective, origins = effective_values(loaded, catalog)
    return Verdict(loaded, *_parted(problems), effective, origins, plan)


def _scan(settings: "Settings") -> "Catalog":
    from netscript_workers import wiring

    # What a job module prints when imported must not mix with our data.
    with contextlib.redirect_stdout(sys.stderr):
        return wiring.scan_catalog(settings)


def _unenforceable(settings: "Settings", catalog: "Catalog") -> Iterable[Problem]:
    from netscript_workers.wiring.confinement import unenforceable

    return unenforceable(settings, catalog.targets)


def _placed(found: Iterable[Problem], loaded: "Loaded", told: list[Problem]) -> Iterable[Problem]:
    """Give the catalog's findings the key path and column of the declaration they are about."""
    settings = loaded.partial
    declared = (*settings.placed_declarations(), *loaded.nameless)
    by_line: dict[tuple[str | None, int | None], Place] = {
        (place.file, place.line): place for place, _ in declared if place.line
    }
    doubled = {problem.path for problem in told if problem.code == "E023"}
    for problem in found:
        table = by_line.get((problem.file, problem.line))
        key = _KEY_OF.get(problem.code)
        if table is None or key is None:
            yield problem
            continue
        place = settings.place_of(*table.path, key)
        if dotted(place.path) not in doubled:
            yield problem_at(problem.code, place, problem.message, problem.hint)


def _over_memory(plan: "Plan", limit: int | None) -> Iterable[Problem]:
    from netscript_workers.domain.size import show_size

    if limit is not None and plan.memory_bytes > limit:
        message = (
            f"the plan needs {show_size(plan.memory_bytes)} for the daemon and {plan.slots} slots, "
            f"--max-memory allows {show_size(limit)}"
        )
        hint = "lower concurrency or max_slot_memory_mb, or use runtime = “in-process”"
        yield problem_at("E028", Place(("concurrency",)), message, hint)


def _reach(settings: "Settings") -> Iterable[Problem]:
    import asyncio

    from netscript_workers import wiring
    from netscript_workers.errors import EngineError

    try:
        asyncio.run(wiring.probe(wiring.engine_for(settings), settings, max(settings.connect_timeout, 1)))
    except EngineError as error:
        yield problem_at("E029", Place(("connections",)), f"the store cannot be reached: {error}")


def _parted(problems: list[Problem]) -> tuple[list[Problem], list[Problem]]:
    """Part errors from warnings, each in the order of the file; what has no place in it comes last."""
    ordered = sorted(
        problems, key=lambda problem: (problem.line is None, problem.line or 0, problem.column or 0)
    )
    errors = [problem for problem in ordered if problem.severity is Severity.ERROR]
    return errors, [problem for problem in ordered if problem.severity is Severity.WARNING]


def _record(problem: Problem) -> dict[str, Any]:
    return {
        "code": problem.code,
        "path": problem.path,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
        "hint": problem.hint,
    }
