"""What this version cannot do yet. `validate` warns of it; a daemon that needs it refuses to start (78)."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from netscript_workers.config.choices import ScalingMode
from netscript_workers.config.place import Place, problem_at
from netscript_workers.domain.problem import Problem
from netscript_workers.domain.target import Concept, Limits, Target

if TYPE_CHECKING:
    from netscript_workers.config.settings import Settings

# Distributed groups and the API belong to commands of their own: no other daemon needs them.
REFUSED_BY_DAEMON: Final = frozenset(f"W{number}" for number in range(103, 110))
_LATER: Final = "not available in this version"


def unavailable(settings: "Settings", targets: Mapping[str, Target]) -> list[Problem]:
    """Return what `settings` and `targets` ask for and this version cannot do, as warnings W103 and up.

    Those in `REFUSED_BY_DAEMON` stop a daemon; the others concern commands that do not exist yet.
    """
    return [*_targets(settings, targets), *_around(settings)]


def _targets(settings: "Settings", targets: Mapping[str, Target]) -> Iterator[Problem]:
    places = {declaration.id: place for place, declaration in settings.placed_declarations()}
    for declaration in settings.declarations():
        missing = declaration.id not in targets and declaration.concept is Concept.TASK
        if missing and declaration.enabled is not False:
            yield _task(declaration.id, places[declaration.id])
    for target in targets.values():
        if not target.enabled:
            continue
        place = places.get(target.id, Place(file=target.file))
        if target.concept is Concept.TASK:
            yield _task(target.id, place)
            continue
        yield from _job(settings, target, place)


def _task(task_id: str, place: Place) -> Problem:
    hint = "set enabled = false for it, or write it as a Python job"
    return problem_at("W103", place, f"the task “{task_id}”: tasks are {_LATER}", hint)


def _job(settings: "Settings", job: Target, place: Place) -> Iterator[Problem]:
    def at(key: str) -> Place:
        return settings.place_of(*place.path, key) if place.path else place

    if job.permissions is not None:
        message = f"the job “{job.id}” has permissions, which cannot be enforced: that is {_LATER}"
        yield problem_at("W104", at("permissions"), message, "leave them out, or set enabled = false")
    if job.limits != Limits():
        message = f"the job “{job.id}” has limits: they are {_LATER}"
        yield problem_at(
            "W105", at("limits"), message, "leave them out; max_slot_memory_mb bounds warm slots"
        )
    if job.schedule is not None:
        message = f"the job “{job.id}” has a schedule: schedules are {_LATER}"
        yield problem_at("W106", at("schedule"), message, "trigger it from cron: workers trigger " + job.id)


def _around(settings: "Settings") -> Iterator[Problem]:
    if settings.metrics.listen is not None:
        place = settings.place_of("metrics", "listen")
        yield problem_at("W107", place, f"metrics (metrics.listen) are {_LATER}", "leave it out")
    if _holds_files(settings.runtime_dir):
        message = f"the runtime_dir {settings.runtime_dir} holds files: declarative tasks and overrides are {_LATER}"
        yield problem_at(
            "W108", settings.place_of("runtime_dir"), message, "empty it, or name another directory"
        )
    if settings.telemetry_variables:
        message = f"exporting telemetry ({', '.join(settings.telemetry_variables)}) is {_LATER}"
        yield problem_at("W109", Place(), message, "unset it for this daemon, or set it to “none”")
    for group in settings.groups:
        if group.scaling.mode is ScalingMode.DISTRIBUTED:
            place = settings.place_of(*group.place.path, "scaling", "mode")
            message = f"the distributed group “{group.topic}” needs `workers run`, which is {_LATER}"
            yield problem_at("W110", place, message, f"run `workers worker --topic {group.topic}` for it")
    if settings.is_written("api"):
        place = settings.place_of("api")
        yield problem_at("W111", place, f"the HTTP API (`workers api`) is {_LATER}; [api] waits for it")


def _holds_files(directory: Path) -> bool:
    """Tell whether there is anything in `directory` that a later version would read: versions, or what is live."""
    return any(
        name == "current" or name.endswith(".json") for _, _, names in os.walk(directory) for name in names
    )
