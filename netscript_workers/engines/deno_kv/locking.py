"""Connecting, and waiting for the one lock that all writers of a file share."""

import random
import sqlite3
import time
from pathlib import Path
from typing import Final

from netscript_workers.errors import EngineError

LOCK_BOUND_S: Final = 60.0
# NORMAL: a commit does not wait for the disk by itself; `Journal` does, once for a whole group and with the lock free.
_PRAGMAS: Final = ("PRAGMA synchronous=NORMAL", "PRAGMA cache_size=-2000", "PRAGMA temp_store=MEMORY")


def persist(db: sqlite3.Connection, statement: str, path: Path) -> None:
    """Run what needs the write lock: others hold it for a few ms at a time, so wait in short random steps, bounded."""
    deadline = time.monotonic() + LOCK_BOUND_S
    while True:
        try:
            db.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            if time.monotonic() > deadline:
                raise EngineError(
                    f"another process has held the write lock of {path} for {LOCK_BOUND_S:.0f} s. "
                    "Find it (fuser, lsof) and end it."
                ) from error
        time.sleep(random.uniform(0.0002, 0.002))


def connect(path: Path) -> sqlite3.Connection:
    """Connect in WAL mode, in autocommit, for one thread at a time; raises sqlite3's errors."""
    connection = sqlite3.connect(path, timeout=LOCK_BOUND_S, isolation_level=None, check_same_thread=False)
    try:
        # Of several that make a new file at once, SQLite turns all but one away here, without its own waiting.
        persist(connection, "PRAGMA journal_mode=WAL", path)
        for pragma in _PRAGMAS:
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection
