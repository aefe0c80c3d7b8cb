"""What this version cannot do yet. `validate` warns of it; a daemon that needs it refuses to start (78)."""

from collections.abc import Iterator, Mapping
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
    for target in targets.values():
        if target.enabled:
            yield from _target(settings, target, places.get(target.id, Place(file=target.file)))


def _target(settings: "Settings", target: Target, place: Place) -> Iterator[Problem]:
    def at(key: str) -> Place:
        return settings.place_of(*place.path, key) if place.path else place

    what = f"the {target.concept.value} “{target.id}”"
    is_job = target.concept is Concept.JOB
    if target.permissions is not None and is_job:
        message = f"{what} has permissions, which cannot be enforced: that is {_LATER}"
        yield problem_at("W104", at("permissions"), message, "leave them out, or set enabled = false")
    if target.limits != Limits() and is_job:
        message = f"{what} has limits: they are {_LATER}"
        hint = "leave them out; max_slot_memory_mb bounds warm slots"
        yield problem_at("W105", at("limits"), message, hint)
    if target.schedule is not None:
        message = f"{what} has a schedule: schedules are {_LATER}"
        yield problem_at(
            "W106", at("schedule"), message, "trigger it from cron: workers trigger " + target.id
        )


def _around(settings: "Settings") -> Iterator[Problem]:
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
