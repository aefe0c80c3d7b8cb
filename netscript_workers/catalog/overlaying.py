"""The runtime directory over what a project defines: tasks more, and overrides of targets."""

from msgspec.structs import replace

from netscript_workers.catalog import codes
from netscript_workers.catalog.found import Findings
from netscript_workers.catalog.resolving import resolve
from netscript_workers.catalog.sources import CatalogSources
from netscript_workers.catalog.targets import Catalog
from netscript_workers.catalog.tasks import add_task
from netscript_workers.domain.problem import Problem
from netscript_workers.domain.runtime_layer import RuntimeLayer


def overlay(base: Catalog, layer: RuntimeLayer, sources: CatalogSources) -> Catalog:
    """Return `base` with the tasks of `layer`, and with what it overrides; `base` stays as it is.

    Problems of the layer, and those that only show beside the project, are added to those of `base`. A task that cannot be had
    is left out.
    """
    findings = Findings()
    for declaration in layer.tasks:
        known = base.targets.get(declaration.id)
        if known is not None:
            findings.problems.append(
                Problem(
                    code=codes.DUPLICATE_ID,
                    message=f"two targets have the id {declaration.id!r}: {known.file} and {declaration.file}",
                    hint="give one of them another id",
                    file=declaration.file,
                )
            )
            continue
        add_task(declaration, sources.tasks_dir, findings, require_permissions=sources.require_permissions)
    targets = {**base.targets, **{found.id: resolve(found, sources) for found in findings.by_id.values()}}
    for target_id, target in targets.items():
        fields = layer.fields_for(target_id, target.topic)
        if fields:
            targets[target_id] = replace(target, **fields)
    problems = [*base.problems, *layer.problems, *findings.problems]
    problems += [
        Problem(
            code=codes.OVERRIDES_NOTHING,
            message=f"the runtime directory overrides {target_id!r}, and no job or task has that id",
            hint="mend the id, or leave the override out",
        )
        for target_id in layer.overridden()
        if target_id not in targets
    ]
    if layer.tasks and not base.targets:
        problems = [problem for problem in problems if problem.code != codes.EMPTY_PROJECT]
    return Catalog(targets, tuple(problems), base.handlers)
