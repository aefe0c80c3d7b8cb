"""Looking whether the file could be opened, without making or changing anything."""

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Final

from netscript_workers.engines.deno_kv.failures import translated
from netscript_workers.engines.deno_kv.schema import refuse_unknown
from netscript_workers.errors import EngineUnavailableError

_PATIENCE_S: Final = 5.0


def probe_file(path: Path) -> None:
    """Raise what opening `path` would; blocks for the time of a few file accesses."""
    there = path if path.exists() else _nearest(path)
    if there is path:
        _may_write(path, path)
        _may_write(path.parent, path)
        _look_inside(path)
    elif not there.is_dir():
        raise EngineUnavailableError(
            f"cannot make {path}: {there} is no directory. Set connections.deno_kv_path to a place this user may write."
        )
    else:
        _may_write(there, path)


def _nearest(path: Path) -> Path:
    """Return the nearest thing above `path` that is there."""
    return next(parent for parent in path.absolute().parents if parent.exists())


def _may_write(there: Path, path: Path) -> None:
    if not os.access(there, os.W_OK | (os.X_OK if there.is_dir() else 0)):
        raise EngineUnavailableError(
            f"cannot open or write {path}: this user may not write {there}. It must be a file that this user may write, "
            "in a directory that this user may write (connections.deno_kv_path)."
        )


def _look_inside(path: Path) -> None:
    # Without a write-ahead log nobody has it open, and nothing need be made beside it to read it.
    alone = "" if path.with_name(path.name + "-wal").exists() else "&immutable=1"
    with translated(path):
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro{alone}", uri=True, timeout=_PATIENCE_S)
        with contextlib.closing(db):
            refuse_unknown(db, path)
