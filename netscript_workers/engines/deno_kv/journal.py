"""The write-ahead journal that SQLite keeps beside the database, and its way to the disk."""

import contextlib
import os
from pathlib import Path


class Journal:
    """The journal of one database, to be synced from one thread; stays the same file while any connection is open.

    Syncing through a descriptor of our own is as good as through SQLite's: the disk takes the file's pages, whoever wrote
    them. A checkpoint that begins the journal anew has synced it first (`synchronous=NORMAL`).
    """

    def __init__(self, database: Path) -> None:
        """Open the journal of `database`, to which a connection in WAL mode is open; raises `OSError`."""
        real = database.resolve()  # SQLite puts it beside the file, not beside a link to it
        path = real.with_name(real.name + "-wal")
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        _sync_directory(path.parent)  # a power cut must not forget that the file is there

    def sync(self) -> None:
        """Return once all that has been committed is on the disk; raises `OSError`."""
        _sync(self._fd)

    def close(self) -> None:
        """Let go of the descriptor. Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


_sync = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


def _sync_directory(directory: Path) -> None:
    # Where a directory cannot be opened or synced (Windows, some network file systems) SQLite does without, and so do we.
    with contextlib.suppress(OSError):
        fd = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
