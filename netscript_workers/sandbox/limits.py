"""Limits of a run as what the kernel takes from each process."""

import sys
from typing import Final

import msgspec

from netscript_workers.domain.target import Limits

# What follows was compiled for Linux; elsewhere the numbers differ and no rules are made.
_CPU: Final = 0
_DATA: Final = 2
_CORE: Final = 4
_PROCESSES: Final = 6
_OPEN_FILES: Final = 7
_ADDRESS_SPACE: Final = 9
_OUR_OWN: Final = 2  # the watcher and the init of the rooms are this user's as well


def resource_limits(
    limits: Limits, *, reserves_memory: bool, counts_processes: bool
) -> tuple[tuple[int, int], ...]:
    """Return (resource, value) pairs; memory is bytes, processor time seconds.

    A runtime that `reserves_memory` far beyond what it uses (.NET) is held by what it writes to, others by all they map.
    `processes` is left out unless this user's processes are counted for the run alone.
    """
    pairs: list[tuple[int, int]] = [
        (_CORE, 0)
    ]  # a core file would carry the run's secrets to where it must not write
    if limits.memory is not None:
        pairs.append((_DATA if reserves_memory else _ADDRESS_SPACE, limits.memory))
    if limits.cpu_seconds is not None:
        pairs.append((_CPU, limits.cpu_seconds))
    if limits.open_files is not None:
        pairs.append((_OPEN_FILES, limits.open_files))
    if limits.processes is not None and counts_processes:
        pairs.append((_PROCESSES, limits.processes + _OUR_OWN))
    return tuple(pairs)


def without_watcher(limits: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Return `limits` for a run whose watcher is not in its rooms, and so not counted."""
    return tuple((number, value - 1 if number == _PROCESSES else value) for number, value in limits)


def are_known() -> bool:
    """Tell whether the numbers above are this system's."""
    return sys.platform == "linux"


def grouped(limits: Limits, controllers: tuple[str, ...]) -> Limits:
    """Return the part of `limits` that a group with these controllers keeps for the run as a whole."""
    return Limits(
        memory=limits.memory if "memory" in controllers else None,
        processes=limits.processes if "pids" in controllers else None,
    )


def ungrouped(limits: Limits, controllers: tuple[str, ...]) -> Limits:
    """Return the rest of `limits`, to which each process must be held."""
    kept = grouped(limits, controllers)
    return msgspec.structs.replace(
        limits,
        memory=limits.memory if kept.memory is None else None,
        processes=limits.processes if kept.processes is None else None,
    )
