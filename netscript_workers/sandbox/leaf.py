"""The control group of one run: made before it starts, joined by it, asked what it ran up against, and removed with it."""

import asyncio
import contextlib
import logging
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from netscript_workers.domain.size import format_size
from netscript_workers.domain.target import Limits
from netscript_workers.sandbox.cgroups import Groups, kill, name_of_run, remove, write
from netscript_workers.sandbox.gaps import Gap
from netscript_workers.sandbox.limits import grouped, ungrouped
from netscript_workers.sandbox.rules import Rules

_LEAVE_SECONDS: Final = 1.0  # what a process that has told its outcome gets to end by itself
_KILL_SECONDS: Final = 5.0
_LOOK_AGAIN_SECONDS: Final = 0.01

_log = logging.getLogger(__name__)


class Leaf:
    """The group of one run, or none at all where `limits` ask for none. `late` is told of one that cannot be removed yet."""

    def __init__(self, groups: Groups, limits: Limits, late: Callable[[Path], None]) -> None:
        self.others = ungrouped(limits, groups.controllers)
        """The limits that this group does not keep."""
        self._limits = grouped(limits, groups.controllers)
        self._mount = os.fsencode(groups.mount)
        self._root = Path(groups.root)
        self._late = late
        self._path: Path | None = None  # while there is one

    def make(self, *, our_own: int = 0) -> tuple[Gap, ...]:
        """Make it, for the run and `our_own` processes of the sandbox; returns what cannot be enforced when that fails."""
        if self._limits == Limits():
            return ()
        path = self._root / name_of_run(secrets.token_hex(4))
        try:
            path.mkdir()
            self._path = path
            self._set(path, our_own)
        except OSError as error:
            self.end()
            why = f"the control group of the run could not be made: {error}"
            return (
                Gap(
                    "limits", why, "see that the daemon may make groups (`workers doctor`), and not too many"
                ),
            )
        return ()

    def joined(self, rules: Rules) -> Rules:
        """Return `rules` with this group to be joined, and no group within reach of what the run may write."""
        if self._path is not None:
            rules = msgspec.structs.replace(rules, group=os.fsencode(self._path / "cgroup.procs"))
        view = rules.view
        if view is None or not self._mount:
            return rules
        writable = [bind.path for bind in view.binds if bind.writable] + [b"/"] * view.whole_writable
        if not any(_covers(path, self._mount) or _covers(self._mount, path) for path in writable):
            return rules
        return msgspec.structs.replace(
            rules, view=msgspec.structs.replace(view, hidden=(*view.hidden, self._mount))
        )

    def reached(self) -> str | None:
        """Say which limit the run went up against, by the kernel's own count; None when it did not."""
        limits = self._limits
        if self._path is None:
            return None
        memory = _events(self._path / "memory.events")
        if memory.get("oom_kill"):
            if memory.get("oom") and limits.memory is not None:
                return f"killed by limits.memory = {format_size(limits.memory)}, which holds for the run as a whole"
            return "killed by the kernel: the memory of the service or of the host ran out, below the run's own limits.memory"
        if _events(self._path / "pids.events").get("max"):
            return (
                f"held by limits.processes = {limits.processes} (threads count, too): it tried to start more"
            )
        return None

    def end(self) -> None:
        """Remove it; what is still in it has a moment to end, and is killed then. Idempotent."""
        path, self._path = self._path, None
        if path is not None and not remove(path):
            self._late(path)

    def _set(self, path: Path, our_own: int) -> None:
        limits = self._limits
        if limits.memory is not None:
            write(path / "memory.max", str(limits.memory))
            write(path / "memory.oom.group", "1")
            with contextlib.suppress(FileNotFoundError):  # a kernel that does not count swap
                write(path / "memory.swap.max", "0")
        if limits.processes is not None:
            write(path / "pids.max", str(limits.processes + our_own))


class Leaves:
    """Gives each run its leaf below what was delegated, and sees off those that are left. Without `groups` there are none."""

    def __init__(self, groups: Groups | None = None) -> None:
        self._groups = groups if groups is not None and groups.settled else Groups()
        self._ending: set[asyncio.Task[None]] = set()

    def leaf(self, limits: Limits) -> Leaf:
        """Return the leaf of a run with `limits`; nothing is made yet."""
        return Leaf(self._groups, limits, self._end_late)

    async def stop(self) -> None:
        """Wait, within a bound, until every leaf that had an end is gone."""
        if self._ending:
            await asyncio.wait(self._ending, timeout=_LEAVE_SECONDS + _KILL_SECONDS)

    def _end_late(self, path: Path) -> None:
        task = asyncio.get_running_loop().create_task(_see_off(path), name=f"end of the group {path.name}")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


async def _see_off(path: Path) -> None:
    if await _is_removed(path, _LEAVE_SECONDS):
        return
    kill(path)
    if not await _is_removed(path, _KILL_SECONDS):
        _log.error(
            "the control group %s could not be removed within %g s of being killed", path, _KILL_SECONDS
        )


async def _is_removed(path: Path, seconds: float) -> bool:
    """Try until it works, for so long; the kernel tells the end of the last process by nothing that is cheaper to wait for."""
    give_up_at = asyncio.get_running_loop().time() + seconds
    while not remove(path):
        if asyncio.get_running_loop().time() > give_up_at:
            return False
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    return True


def _covers(path: bytes, other: bytes) -> bool:
    return path == other or other.startswith(path.rstrip(b"/") + b"/")


def _events(file: Path) -> Mapping[str, int]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:  # this controller is not handed down
        return {}
    return {name: int(count) for name, count in (line.split() for line in lines)}
