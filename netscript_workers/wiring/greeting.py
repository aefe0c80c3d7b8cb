"""The line that a worker says when it is up."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from netscript_workers.domain.pool import Pool
from netscript_workers.domain.target import DEFAULT_TOPIC, ConfinedMode, RunnerMode, Target
from netscript_workers.scheduler.timetable import schedules_of
from netscript_workers.wiring.project import Project

_NAMED: Final = 10
_NOTHING: Final = "no job and no task yet; `workers add job NAME` makes one"


def greeting_of(project: Project, pool: Pool, name: str) -> str:
    """Say what a worker has and serves."""
    concepts = Counter(target.concept for target in project.targets.values() if target.enabled)
    counts = [
        f"{count} {concept.value}{'s' if count != 1 else ''}" for concept, count in sorted(concepts.items())
    ]
    scheduled = len(schedules_of(project.targets.values()))
    if scheduled:
        counts.append(f"{scheduled} of them scheduled")
    lanes = ", ".join(f"{'+'.join(lane.topics)} ({lane.limit})" for lane in pool.lanes)
    what = ", ".join(counts) or _NOTHING
    return f"worker {name} is up: {what}; {pool.size} slots; topics {lanes}; runtime {project.settings.runtime.value}"


def topics_of_nothing(project: Project) -> str:
    """Say which topics of `--topic` and `--without-topic` no group, job or task has (a slip, most likely); empty: none."""
    asked = (*project.loaded.topics, *project.loaded.options.without_topics)
    known = {
        DEFAULT_TOPIC,
        *project.settings.group_limits(),
        *(one.topic for one in project.targets.values()),
    }
    unknown = sorted(set(asked) - known)
    if not unknown:
        return ""
    return f"no group, job or task has the topic {', '.join(unknown)}; there are: {', '.join(sorted(known))}"


def runtime_overruled(project: Project, targets: Iterable[Target]) -> str:
    """Say for which of `targets` `--runtime` does not hold, since they have permissions or limits; empty: for none."""
    asked = project.options.runtime
    if asked is None or asked == RunnerMode.SUBPROCESS.value:
        return ""
    held = [one.id for one in targets if one.enabled and isinstance(one.mode, ConfinedMode)]
    if not held:
        return ""
    names = ", ".join(f"“{id}”" for id in sorted(held)[:_NAMED]) + (", …" if len(held) > _NAMED else "")
    why = "permissions and limits can only hold a process of its own"
    return f"--runtime {asked} does not hold for {names}: {why}, which each of its runs gets"
