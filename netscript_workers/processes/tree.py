"""Who descends from whom, and the end of a whole family of processes.

Reads /proc where there is one, else asks `ps`. A process id is only safe to signal while its parent has not
reaped it: end trees from the parent, or from the reaper that adopted them.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Collection, Iterable
from typing import Final

_PS_SECONDS: Final = 10
_ROUNDS: Final = 50  # a fork bomb that is faster than this many looks goes on below the nearest reaper


def children_of(pid: int) -> list[int]:
    """Return the direct children of `pid`, zombies included; empty when it is gone."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - on the path of every reaped slot; a Path costs more than the call
        for thread in threads:
            descriptor = os.open(f"/proc/{pid}/task/{thread}/children", os.O_RDONLY | os.O_CLOEXEC)
            try:
                while text := os.read(descriptor, 65_536):
                    found += [int(word) for word in text.split()]
            finally:
                os.close(descriptor)
    except FileNotFoundError:
        if found or _is_gone(pid):
            return found
        return [child for child, parent in _parents().items() if parent == pid]
    except ProcessLookupError:
        return found
    return found


def descendants_of(pid: int) -> list[int]:
    """Return all descendants of `pid`, nearest first."""
    found: list[int] = []
    generation = [pid]
    while generation:
        generation = [child for parent in generation for child in children_of(parent)]
        found += generation
    return found


def kill_all(pids: Iterable[int]) -> None:
    """Send SIGKILL to each of `pids`; one that is gone already, or has become another user's, is no error."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def kill_tree(pid: int) -> list[int]:
    """Send SIGKILL to `pid`, to its process group where it leads one, and to all its descendants of this moment.

    The family is stopped first, so that none forks away while it is counted; what was born meanwhile is
    adopted by the nearest reaper, which must call again. Returns the family, `pid` first.
    """
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    family = [pid, *descendants_of(pid)]
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
    kill_all(family)
    return family


def end_families(roots: Collection[int]) -> None:
    """Send SIGKILL to each of `roots` and to all their descendants, however fast those fork.

    Everything found is stopped first, and looked at again until nothing new is found, so that none forks away in between. What
    was orphaned meanwhile is adopted by the nearest reaper, which must call again. A process of another user is left alone.
    """
    stopped: set[int] = set()
    known = set(roots)
    for _ in range(_ROUNDS):
        fresh = known - stopped
        if not fresh:
            break
        for pid in fresh:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGSTOP)
        stopped |= fresh
        known |= {child for pid in roots for child in descendants_of(pid)}
    kill_all(known)


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _parents() -> dict[int, int]:
    """Return the parent of every process, from `ps`: for systems (or kernels) without the children files of /proc."""
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="],  # noqa: S607 - found by PATH, where each system keeps it
        capture_output=True,
        text=True,
        check=True,
        timeout=_PS_SECONDS,
    ).stdout
    pairs = (line.split() for line in listing.splitlines())
    return {int(child): int(parent) for child, parent in pairs}
