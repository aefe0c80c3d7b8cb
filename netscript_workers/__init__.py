"""Run background work: handlers written once, run in one slot or in many isolated ones.

Names are handed on lazily (PEP 562): a slot's process that imports this package loads neither the client, nor
the configuration, nor an engine.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from netscript_workers.authoring.context import JobContext
    from netscript_workers.authoring.definitions import define_jobs, define_workers
    from netscript_workers.authoring.job import define_job_handler, job
    from netscript_workers.authoring.permissions import (
        create_permission_preset,
        merge_permissions,
        permissions,
    )
    from netscript_workers.authoring.results import (
        Abort,
        create_failure_result,
        create_success_result,
        failure,
        success,
    )
    from netscript_workers.authoring.task import define_task
    from netscript_workers.client import Client, SyncClient, Trigger

__all__ = [
    "Abort",
    "Client",
    "JobContext",
    "SyncClient",
    "Trigger",
    "create_failure_result",
    "create_permission_preset",
    "create_success_result",
    "define_job_handler",
    "define_jobs",
    "define_task",
    "define_workers",
    "failure",
    "job",
    "merge_permissions",
    "permissions",
    "success",
]

# Where each name lives; tests/shape holds the three lists to one another.
_HOMES: Final = {
    "Abort": "authoring.results",
    "Client": "client",
    "JobContext": "authoring.context",
    "SyncClient": "client",
    "Trigger": "client",
    "create_failure_result": "authoring.results",
    "create_permission_preset": "authoring.permissions",
    "create_success_result": "authoring.results",
    "define_job_handler": "authoring.job",
    "define_jobs": "authoring.definitions",
    "define_task": "authoring.task",
    "define_workers": "authoring.definitions",
    "failure": "authoring.results",
    "job": "authoring.job",
    "merge_permissions": "authoring.permissions",
    "permissions": "authoring.permissions",
    "success": "authoring.results",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
