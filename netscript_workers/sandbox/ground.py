"""The ground that rules stand on: which files their paths lead to. What was made ahead is only of use while that holds."""

import os
import select
from collections.abc import Sequence

from netscript_workers.sandbox.rules import Rules

Mark = tuple[int, int, int] | None


class Ground:
    """What `paths` led to on this host when `mounts` had been opened, namely to `marks`. `mounts` is owned."""

    def __init__(self, paths: Sequence[bytes], marks: Sequence[Mark], mounts: int) -> None:
        self._paths = tuple(paths)
        self._marks = list(marks)
        self._mounts = mounts

    def is_unchanged(self) -> bool:
        """Tell whether every path still leads to the same file, or to none, and the host's mounts are the same.

        To be asked by a process that is outside of all rooms.
        """
        poll = select.poll()
        poll.register(self._mounts, select.POLLPRI)
        return not poll.poll(0) and marks_of(self._paths) == self._marks

    def close(self) -> None:
        """Stop watching. Idempotent."""
        mounts, self._mounts = self._mounts, -1
        if mounts >= 0:
            os.close(mounts)


def paths_of(rules: Rules, cwd: bytes) -> tuple[bytes, ...]:
    """Return all paths whose files are shown, allowed or hidden by `rules`."""
    view = rules.view
    shown = (*(bind.path for bind in view.binds), *view.hidden) if view is not None else ()
    return tuple(dict.fromkeys((*shown, *(path for path, _ in rules.files), cwd)))


def watch_mounts() -> int:
    """Return a descriptor that has something to tell once anything was mounted or unmounted since now; raises `OSError`."""
    return os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)


def marks_of(paths: Sequence[bytes]) -> list[Mark]:
    """Return for each path what is the same for the same file only; while rooms hold a file, no other one gets its number."""
    return [_mark(path) for path in paths]


def _mark(path: bytes) -> Mark:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mode
