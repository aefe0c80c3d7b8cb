"""Settings to objects: the only room that knows the concrete classes (ARCHITECTURE, the rooms).

Names are handed on when first asked for: a client needs the engine and the project, not the worker.
"""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from netscript_workers.wiring.daemon import build_daemon
    from netscript_workers.wiring.engine import ArchiveUse, engine_for, open_engine, tables_of
    from netscript_workers.wiring.once import run_once
    from netscript_workers.wiring.project import Project, load_project, scan_catalog
    from netscript_workers.wiring.reaching import probe, reach
    from netscript_workers.wiring.recording import Recording, record
    from netscript_workers.wiring.run import build_run
    from netscript_workers.wiring.worker import assemble_worker, runners_for

__all__ = [
    "ArchiveUse",
    "Project",
    "Recording",
    "assemble_worker",
    "build_daemon",
    "build_run",
    "engine_for",
    "load_project",
    "open_engine",
    "probe",
    "reach",
    "record",
    "run_once",
    "runners_for",
    "scan_catalog",
    "tables_of",
]

_HOMES: Final = {
    "Project": "project",
    "assemble_worker": "worker",
    "build_daemon": "daemon",
    "build_run": "run",
    "ArchiveUse": "engine",
    "engine_for": "engine",
    "load_project": "project",
    "open_engine": "engine",
    "probe": "reaching",
    "reach": "reaching",
    "Recording": "recording",
    "record": "recording",
    "run_once": "once",
    "runners_for": "worker",
    "scan_catalog": "project",
    "tables_of": "engine",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{home}"), name)
