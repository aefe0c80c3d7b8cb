"""`--watch`: a reload when a job or task module or the config file has changed. For development.

Looks at the directories twice a second instead of asking the system to tell: that needs no package, works on network file systems
and in containers, and misses nothing that an editor does with renames; it costs about a millisecond for a hundred files.
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from netscript_workers.wiring.project import Project
from netscript_workers.wiring.reload import Reloader
from netscript_workers.worker.faults import Faults, end

LOOK_SECONDS: Final = 0.5
MOST_FILES: Final = 10_000
_PASSED_OVER: Final = frozenset({"__pycache__", "node_modules", "site-packages"})
_NAMED: Final = 3

Seen = dict[str, tuple[int, int, int]]


class SourceWatch:
    """Asks `reloader` for a reload once what has changed has stayed as it is for one look. A `Service`; stop it first."""

    name = "watch for changes"

    def __init__(self, reloader: Reloader, project: Project, faults: Faults) -> None:
        """Watch what the settings in force name, and the config file of `project`."""
        self._reloader = reloader
        self._file = project.loaded.file
        self._faults = faults
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look."""
        if self._task is None:
            self._task = self._faults.spawn(self._watch(self._look()), self.name)

    async def stop(self, grace_ms: int) -> None:
        """Look no more."""
        task, self._task = self._task, None
        await end(task, grace_ms)

    async def _watch(self, known: Seen) -> None:
        before = known
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = self._look()
            if now != known and now == before:  # else it is still being written
                self._reloader.ask(_told(known, now))
                known = now
            before = now

    def _look(self) -> Seen:
        settings = self._reloader.settings
        seen: Seen = {}
        if self._file is not None:
            _note(self._file, seen)
        for root in (settings.jobs_dir, settings.tasks_dir):
            for path in files_below(root):
                if len(seen) >= MOST_FILES:
                    return seen
                _note(path, seen)
        return seen


def files_below(root: Path) -> Iterator[Path]:
    """Yield the files that a change of code may be in: not hidden ones, nor what tools leave there."""
    for directory, names, files in os.walk(root):
        names[:] = [name for name in names if not name.startswith(".") and name not in _PASSED_OVER]
        for name in files:
            if not name.startswith(".") and not name.endswith((".pyc", "~")):
                yield Path(directory, name)


def _note(path: Path, seen: Seen) -> None:
    try:
        status = path.stat()
    except OSError:
        return  # gone in this moment: that it is missing is the change
    seen[str(path)] = (status.st_ino, status.st_mtime_ns, status.st_size)


def _told(before: Seen, now: Seen) -> str:
    names = sorted(
        Path(path).name for path in before.keys() | now.keys() if before.get(path) != now.get(path)
    )
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more} changed"
