"""Makes a catalog: imports the job modules, reads the declarations, resolves, reports all that is wrong."""

from typing import TYPE_CHECKING

from netscript_workers.catalog import codes
from netscript_workers.catalog.found import Findings
from netscript_workers.catalog.jobs import collect_jobs
from netscript_workers.catalog.resolving import resolve, schedule_problems
from netscript_workers.catalog.sources import CatalogSources
from netscript_workers.catalog.targets import Catalog
from netscript_workers.catalog.tasks import collect_tasks
from netscript_workers.domain.problem import Problem
from netscript_workers.domain.target import Concept, Target

if TYPE_CHECKING:
    from netscript_workers.authoring.handler import Handler


def scan(sources: CatalogSources) -> Catalog:
    """Find every target of a project. Imports its job modules into this process; never raises for what they do.

    What fails is among the problems, and the rest is there all the same.
    """
    findings = Findings()
    jobs = [one for one in sources.declarations if one.concept is Concept.JOB]
    tasks = [one for one in sources.declarations if one.concept is Concept.TASK]
    collect_jobs(sources.jobs_dir, jobs, findings)
    collect_tasks(sources.tasks_dir, tasks, findings, require_permissions=sources.require_permissions)
    targets: dict[str, Target] = {}
    handlers: dict[str, Handler] = {}
    for found in findings.by_id.values():
        complaints = list(schedule_problems(found))
        if complaints:
            findings.problems.extend(complaints)
            continue
        targets[found.id] = resolve(found, sources)
        if found.handler is not None:
            handlers[found.id] = found.handler
    if not findings.by_id and not findings.problems:
        findings.problems.append(_empty(sources))
    return Catalog(targets, tuple(findings.problems), handlers)


def _empty(sources: CatalogSources) -> Problem:
    there = "does not exist"
    if sources.jobs_dir.exists():
        there = "holds no job module" if sources.jobs_dir.is_dir() else "is no directory"
    return Problem(
        code=codes.EMPTY_PROJECT,
        message=f"there is nothing to run: the config names no target, and {sources.jobs_dir} {there}",
        hint="`workers init` lays out a project, `workers add job` adds a job",
        path="jobs_dir",
    )
