"""The end of processes that this one adopted because their own reaper died.

This process has children of its own that must live on, so an orphan is told by what it carries: a marker
variable in the environment it was started with, or the session of a process that was known.
"""

import asyncio
import contextlib
import os
from collections.abc import Collection

from netscript_workers.processes.tree import children_of, kill_tree

_LOOK_AGAIN_SECONDS = 0.02


async def end_orphans(marker: str, sessions: Collection[int], seconds: float) -> list[int]:
    """Kill and reap every adopted child that carries `marker` (`NAME=value`) or belongs to one of `sessions`.

    Goes on until there is none, since the end of one may orphan another; returns those left after `seconds`.
    Where there is no /proc nothing is found, and nothing was adopted either.
    """
    family: set[int] = set()
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + seconds
    while True:
        orphans = [
            pid for pid in children_of(os.getpid()) if pid in family or _is_marked(pid, marker, sessions)
        ]
        for pid in orphans:
            family.update(
                kill_tree(pid)
            )  # its descendants come to us next, and show no marker once they are dead
        left = [pid for pid in orphans if not _reaped(pid)]
        if not orphans:
            return []
        if loop.time() > give_up_at:
            return left
        await asyncio.sleep(_LOOK_AGAIN_SECONDS if left else 0)


def _is_marked(pid: int, marker: str, sessions: Collection[int]) -> bool:
    if pid in sessions:
        return True
    with contextlib.suppress(OSError):
        if os.getsid(pid) in sessions:
            return True
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123 - a handful of bytes, read at once
            return marker.encode() in file.read().split(b"\0")
    except OSError:
        return False  # gone meanwhile, or another user's


def _reaped(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
