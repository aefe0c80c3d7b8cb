"""What sqlite3's errors mean for whoever uses the queue, and what to do about each."""

import sqlite3
from pathlib import Path

from netscript_workers.errors import EngineError, EngineFormatError, EngineUnavailableError


class translated:  # noqa: N801 - reads as a word in `with translated(path):`
    """Turns sqlite3's errors into ours within a `with`."""

    def __init__(self, path: Path) -> None:
        """Name `path` in the messages."""
        self._path = path

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Raise our error in place of sqlite3's."""
        if isinstance(error, sqlite3.Error):
            raise explained(error, self._path) from error


def explained(error: Exception, path: Path) -> Exception:
    """Return our error for sqlite3's, with what to do; an error that no waiting mends stays what it is."""
    code = getattr(error, "sqlite_errorcode", None)
    if not isinstance(error, sqlite3.Error) or isinstance(
        error, (sqlite3.DataError, sqlite3.ProgrammingError)
    ):
        return error
    primary = code & 0xFF if isinstance(code, int) else None
    if primary in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return EngineFormatError(
            f"{path} is no SQLite database, or is damaged ({error}). Point connections.deno_kv_path at another file, "
            "or restore this one from a backup."
        )
    if primary in (
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_AUTH,
    ):
        return EngineUnavailableError(
            f"cannot open or write {path}: {error}. It must be a file that this user may write, in a directory "
            "that this user may write (connections.deno_kv_path)."
        )
    if primary == sqlite3.SQLITE_FULL:
        return EngineError(f"no space is left on the disk of {path}: {error}. Free some; nothing is lost.")
    return EngineError(f"the queue {path} failed: {error}")
