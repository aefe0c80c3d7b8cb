"""What this host can enforce: tried out once, in processes of its own, and put into words for `workers doctor` and `validate`."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Final

import msgspec

from netscript_workers.domain.permissions import Permissions
from netscript_workers.domain.target import Limits
from netscript_workers.sandbox.cgroups import look
from netscript_workers.sandbox.gaps import Gap, gaps_in, gaps_of_limits
from netscript_workers.sandbox.grants import resolve
from netscript_workers.sandbox.host import Host
from netscript_workers.sandbox.limits import grouped, ungrouped

_PROBE_SECONDS: Final = 30.0


class Ability(msgspec.Struct, frozen=True):
    """One thing that can be enforced or not: what it is, how (or why not), and the cure where it cannot."""

    name: str
    works: bool
    found: str
    cure: str = ""


def probed() -> Host:
    """Try out what this host can do; never raises. Takes some milliseconds, in a process with threads an interpreter's start."""
    if _may_fork():
        from netscript_workers.sandbox.probe import probe

        try:
            return _with_groups(probe())
        except OSError as error:
            return _unknown(error)
    command = [sys.executable, "-P", "-m", "netscript_workers.sandbox.probe"]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=_PROBE_SECONDS, check=True, stdin=subprocess.DEVNULL
        )
        host = msgspec.json.decode(done.stdout, type=Host)
    except (OSError, subprocess.SubprocessError, msgspec.DecodeError) as error:
        return _unknown(error)
    return _with_groups(host)


def _may_fork() -> bool:
    """Tell whether this process has a single thread, so that a fork of it is as good as a process of its own."""
    return (
        sys.platform == "linux" and threading.active_count() == 1 and len(os.listdir("/proc/self/task")) == 1
    )


def _with_groups(host: Host) -> Host:
    return msgspec.structs.replace(
        host, groups=look()
    )  # asked here: this process's own counts, with nothing beside it


def _unknown(error: Exception) -> Host:
    why = f"the probe of this host failed: {error}"
    return Host(kernel="", machine="", landlock=0, is_root=False, rooms_missing=why, filter_missing=why)


def abilities(host: Host) -> Iterator[Ability]:
    """Yield what this host can enforce, means first, then what they are for."""
    yield Ability(
        "kernel", host.has_filter, f"{host.kernel or 'unknown'}, {host.machine or 'another processor'}"
    )
    yield Ability(
        "Landlock",
        host.landlock > 0,
        f"ABI {host.landlock}" if host.landlock else "not available",
        _cure(host.landlock > 0),
    )
    yield Ability(
        "namespaces",
        host.has_rooms,
        _rooms(host),
        "" if host.has_rooms else "allow user namespaces for this user",
    )
    yield Ability("seccomp", host.has_filter, host.filter_missing or "filters with a listener")
    groups = host.groups
    found = groups.missing or f"{', '.join(groups.controllers)}, in {groups.root}"
    yield Ability("control groups", not groups.missing, found, groups.cure)
    for name, permissions, limits, how in _QUESTIONS:
        gaps = missing(permissions, limits, host)
        found = _how(host, how, limits) if not gaps else gaps[0].why
        yield Ability(name, not gaps, found, gaps[0].cure if gaps else "")


def missing(permissions: Permissions | None, limits: Limits, host: Host, cwd: str = "/") -> tuple[Gap, ...]:
    """Return what of `permissions` and `limits` could not be enforced on `host`; files are not looked for."""
    limits = ungrouped(limits, host.groups.controllers)
    if permissions is None:
        return gaps_of_limits(limits)
    named = Permissions(
        net=permissions.net,
        read=permissions.read is True,
        write=permissions.write is True,
        env=permissions.env,
        run=permissions.run if isinstance(permissions.run, bool) else ("/bin/sh",),
    )
    return tuple(gaps_in(resolve(named, cwd, ""), limits, host))


_RLIMITS: Final = "for each process (rlimits)"
_NONE: Final = Permissions()
_QUESTIONS: Final = (
    ("read, write", _NONE, Limits(), ("a view of its own and Landlock", "Landlock")),
    ("net = false", _NONE, Limits(), ("no network of its own, and no sockets", "no sockets")),
    (
        "net = [hosts]",
        Permissions(net=("example.com:443",)),
        Limits(),
        ("a network of its own, with a proxy as the way out", ""),
    ),
    (
        "run = false",
        _NONE,
        Limits(),
        ("no program is ever started after the first", "no program is ever started after the first"),
    ),
    ("run = [programs]", Permissions(run=("/bin/sh",)), Limits(), ("Landlock", "Landlock")),
    (
        "env",
        _NONE,
        Limits(),
        ("the environment is made from nothing", "the environment is made from nothing"),
    ),
    ("other processes", _NONE, Limits(), ("a list of processes of its own", "Landlock and no ptrace")),
    ("limits.processes", _NONE, Limits(processes=8), ("counted in the run's own user namespace", "")),
    ("limits.memory", _NONE, Limits(memory=2**28), (_RLIMITS, _RLIMITS)),
    (
        "limits, the others",
        _NONE,
        Limits(cpu_seconds=1, open_files=64),
        (_RLIMITS, _RLIMITS),
    ),
)


def _how(host: Host, how: tuple[str, str], limits: Limits) -> str:
    if grouped(limits, host.groups.controllers) != Limits():
        return "for the run as a whole, by a control group of its own"
    return how[0] if host.has_rooms else how[1]


def _rooms(host: Host) -> str:
    if not host.has_rooms:
        return host.rooms_missing
    return (
        "user, files, processes, network, shared memory"
        if host.user_rooms
        else "files, processes, network, shared memory (as root)"
    )


def _cure(has_landlock: bool) -> str:  # noqa: FBT001 - a private word for one line above
    return "" if has_landlock else "boot Linux 5.13 or later with landlock among lsm="
