"""The sandbox of a project, and what of its permissions this host could not enforce."""

import logging
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from netscript_workers.domain.permissions import Grant
from netscript_workers.domain.problem import Problem
from netscript_workers.domain.target import ConfinedMode, Limits, Target, TaskType

if TYPE_CHECKING:
    from netscript_workers.config import Settings
    from netscript_workers.runners.granted import GrantedJobs
    from netscript_workers.sandbox.kernel_sandbox import KernelSandbox, Strictness
    from netscript_workers.wiring.project import Project

_QUEUE_FILES = ("", "-wal", "-shm", "-journal")
# How this interpreter starts and finds what is installed; a run itself sees them only when they are granted.
_OF_THE_INTERPRETER = frozenset(
    {
        *("HOME", "LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH", "PYTHONUSERBASE", "PYTHONNOUSERSITE"),
        *("PYTHONUTF8", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONWARNINGS", "PYTHONHASHSEED"),
    }
)

log = logging.getLogger("netscript_workers.daemon")


def sandbox_for(settings: "Settings") -> "KernelSandbox":
    """Return the sandbox that `settings` ask for; no run sees the queue's own files."""
    from netscript_workers.sandbox.cgroups import look
    from netscript_workers.sandbox.kernel_sandbox import KernelSandbox
    from netscript_workers.sandbox.leaf import Leaves

    return KernelSandbox(strictness_of(settings), hidden_files(settings), leaves=Leaves(look()))


def settle_in_group() -> None:
    """Have control groups for runs, if one is delegated to this process: to be called before it starts others.

    Where none is, runs are held by what needs none, and what that cannot hold is told with each.
    """
    from netscript_workers.sandbox.cgroups import settle

    groups = settle()
    if groups.settled:
        log.debug("runs with limits get control groups of their own in %s", groups.root)


def hidden_files(settings: "Settings") -> list[str]:
    """Return the files that no run ever sees: the queue's own."""
    queue = str(settings.connections.deno_kv_path)
    return [queue + end for end in _QUEUE_FILES]


def granted_jobs(project: "Project") -> "list[GrantedJobs]":
    """Return the jobs with permissions by what their processes start with: what each may see, and nothing that others may.

    A secret of the daemon's is handed down when a job names its variable.
    """
    from netscript_workers.runners.granted import GrantedJobs
    from netscript_workers.wiring.programs import part_secrets, secret_values

    catalog = project.catalog
    plain, secrets = part_secrets(project.options.environ, secret_values(project.settings))
    environments: dict[frozenset[str], dict[str, str]] = {}
    ids: dict[frozenset[str], set[str]] = {}
    for id, target in catalog.targets.items():
        if target.mode is ConfinedMode.CONFINED and target.permissions is not None:
            environment = _shown(target.permissions.env, plain, secrets)
            names = frozenset(environment)
            environments[names] = environment
            ids.setdefault(names, set()).add(id)
    refs = catalog.handler_refs()
    return [
        GrantedJobs(
            ids=frozenset(ids[names]),
            handlers=[ref for ref in refs if ref.target_id in ids[names]],
            environment=environment,
        )
        for names, environment in environments.items()
    ]


def _shown(grant: Grant, plain: Mapping[str, str], secrets: Mapping[str, str]) -> dict[str, str]:
    from netscript_workers.sandbox.environment import ALWAYS

    named = frozenset(grant) if isinstance(grant, tuple) else frozenset[str]()
    shown = plain if grant is True else _only(plain, ALWAYS | _OF_THE_INTERPRETER | named)
    return {**shown, **_only(secrets, named)}


def _only(environ: Mapping[str, str], names: AbstractSet[str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name in names}


def strictness_of(settings: "Settings") -> "Strictness":
    """Return what `settings` say of permissions that cannot be enforced, in the sandbox's own word."""
    from netscript_workers.sandbox.kernel_sandbox import Strictness

    return Strictness(settings.sandbox.value)


def unenforceable(settings: "Settings", targets: Mapping[str, Target]) -> Iterator[Problem]:
    """Yield what of the targets' permissions and limits this host cannot enforce: errors under `require`, else warnings.

    Tries out what this host can do, in a process of its own, when there is something to enforce.
    """
    from netscript_workers.config.choices import SandboxPolicy
    from netscript_workers.config.place import Place, problem_at

    confined = [target for target in targets.values() if target.enabled and _is_confined(target)]
    if settings.sandbox is SandboxPolicy.OFF or not confined:
        return
    from netscript_workers.sandbox import checks

    host = checks.probed()
    code = "E031" if settings.sandbox is SandboxPolicy.REQUIRE else "W016"
    places = {declaration.id: place for place, declaration in settings.placed_declarations()}
    for target in confined:
        place = places.get(target.id, Place(file=target.file))
        for gap in checks.missing(target.permissions, target.limits, host):
            key = "limits" if gap.permission.startswith("limits") else "permissions"
            at = settings.place_of(*place.path, key) if place.path else place
            message = f"the {target.concept.value} “{target.id}”: {gap.permission} cannot be enforced here: {gap.why}"
            yield problem_at(code, at, message, gap.cure)


def _is_confined(target: Target) -> bool:
    has_permissions = target.permissions is not None and target.type is not TaskType.DENO
    return has_permissions or target.limits != Limits()
