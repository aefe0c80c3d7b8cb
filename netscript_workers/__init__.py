"""Run background work: handlers written once, run in one slot or in many isolated ones.

Names are handed on lazily (PEP 562): a slot's process that imports this package loads neither the client, nor the
configuration, nor an engine.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from netscript_workers.authoring.context import JobContext
    from netscript_workers.authoring.job import define_job_handler, job
    from netscript_workers.authoring.results import (
        Abort,
        create_failure_result,
        create_success_result,
        failure,
        success,
    )

__all__ = [
    "Abort",
    "JobContext",
    "create_failure_result",
    "create_success_result",
    "define_job_handler",
    "failure",
    "job",
    "success",
]

_HOMES: Final = {
    "Abort": "authoring.results",
    "JobContext": "authoring.context",
    "create_failure_result": "authoring.results",
    "create_success_result": "authoring.results",
    "define_job_handler": "authoring.job",
    "failure": "authoring.results",
    "job": "authoring.job",
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
