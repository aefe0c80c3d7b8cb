"""What can be told of declarations that cannot become targets: they are looked at, and nothing is imported."""

from collections.abc import Sequence

from netscript_workers.authoring.confine import ConfinementError, split_entrypoint
from netscript_workers.catalog import codes
from netscript_workers.catalog.found import Findings
from netscript_workers.catalog.jobs import python_file
from netscript_workers.catalog.sources import CatalogSources
from netscript_workers.catalog.tasks import program
from netscript_workers.domain.problem import Problem
from netscript_workers.domain.target import Concept, Declaration


def check_entrypoints(declarations: Sequence[Declaration], sources: CatalogSources) -> tuple[Problem, ...]:
    """Return what is wrong with the files that `declarations` name, whatever else is wrong with them."""
    findings = Findings()
    for declaration in declarations:
        try:
            if declaration.concept is Concept.JOB:
                python_file(split_entrypoint(declaration.entrypoint or "")[0], sources.jobs_dir)
            else:
                program(declaration, sources.tasks_dir)
        except ConfinementError as error:
            findings.report(error, codes.NOT_CONFINED, declaration)
    return tuple(findings.problems)
