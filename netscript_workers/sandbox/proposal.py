"""From what a run did to the least permissions that let it do so again. Pure, but for looking at what is there."""

import os
import shutil
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from netscript_workers.domain.permissions import Grant, Permissions
from netscript_workers.sandbox import base
from netscript_workers.sandbox.grants import resolve
from netscript_workers.sandbox.observed import Did, Observed, below, program_starts
from netscript_workers.sandbox.policy import Needs, covers_read

MOST_SINGLE: Final = 3
"""More files than this in one directory are proposed as the directory."""
MOST_SHOWN: Final = 5
_SHALLOW: Final = 2  # the root, and what is directly in it, is never proposed for the files in it
_OWN: Final = ("/proc", "/dev", "/tmp")  # noqa: S108 - places that every confined run has of its own
# Runtimes look at these and do without: what the machine has, name services, a terminal, remains of an earlier run.
_DISPENSABLE: Final = (
    "/etc/gai.conf",
    "/etc/ld.so.preload",
    "/etc/locale.alias",
    "/run/nscd",
    "/run/systemd",
    "/sys/devices/system",
    "/sys/fs/cgroup",
    "/sys/kernel/mm",
    "/tmp/.dotnet",  # noqa: S108 - made by .NET's own runtime
    "/usr/share/locale/locale.alias",
    "/var/run/nscd",
)


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a run: what it did, where it did it, and what its runtime needs anyway.

    `hosts` went through the proxy, which listened at `proxy`. `guessed` are variables whose names stand in its text.
    """

    observed: tuple[Observed, ...]
    cwd: str
    needs: Needs
    search_path: str = os.defpath
    home: str = "/"
    hosts: tuple[str, ...] = ()
    proxy: str = ""
    guessed: tuple[str, ...] = ()


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """Permissions, which of their variables are guesses, and what a person should know of them."""

    permissions: Permissions
    guessed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def propose(watched: Watched) -> Proposal:
    """Return the least permissions for a run outside Deno."""
    notes: list[str] = []
    run = run_grant(program_starts(watched.observed), watched.search_path)
    writes = _folded(_writes(watched), watched)
    if watched.cwd in writes:
        notes.append(
            "it makes or removes files right in its working directory, all of which it may write therefore (programs and config "
            "included): better have it do that in a directory of its own"
        )
    reads = _folded(_reads(watched, run, writes, notes), watched)
    return Proposal(
        permissions=Permissions(
            net=_net(watched, notes),
            read=_named(reads, watched.cwd),
            write=_named(writes, watched.cwd),
            env=watched.guessed or False,
            run=run or False,
        ),
        guessed=watched.guessed,
        notes=tuple(notes),
    )


def run_grant(programs: Iterable[str], search_path: str) -> tuple[str, ...]:
    """Return programs as one writes them: by name where that finds them, else by path."""
    return tuple(
        os.path.basename(each) if shutil.which(os.path.basename(each), path=search_path) == each else each
        for each in programs
    )


def path_grant(paths: Iterable[str], cwd: str, home: str) -> Grant:
    """Return paths as one writes them, folded; False for none."""
    kept = _outer(_fold(set(paths), {"/", cwd, home}))
    return _named(kept, cwd)


def _writes(watched: Watched) -> set[str]:
    found: set[str] = set()
    for each in watched.observed:
        if each.did not in {Did.WRITE, Did.MAKE} or _is_own(each.what) or "__pycache__" in each.what:
            continue
        if not any(below(each.what, place) for place in _DISPENSABLE):
            found.add(each.what)
    return found


def _reads(watched: Watched, run: Sequence[str], writes: Sequence[str], notes: list[str]) -> set[str]:
    granted = resolve(Permissions(run=tuple(run) or False), watched.cwd, watched.search_path)
    found: set[str] = set()
    for each in watched.observed:
        path = each.what
        if each.did not in {Did.READ, Did.LIST, Did.LOOK} or _is_own(path):
            continue
        if path == "/" or any(below(path, place) for place in (*_DISPENSABLE, *writes)):
            continue
        if path in watched.needs.hidden:
            notes.append(f"{path} is the queue's own file, which no confined run ever sees")
        elif not covers_read(granted, watched.needs, path, has_view=True):
            found.add(path)
    return found


def _net(watched: Watched, notes: list[str]) -> Grant:
    reached = dict.fromkeys(each.what for each in watched.observed if each.did is Did.NET)
    direct = [each for each in reached if each != watched.proxy]
    if not direct:
        return watched.hosts or False
    shown = ", ".join(direct[:MOST_SHOWN]) + (" …" if len(direct) > MOST_SHOWN else "")
    notes.append(
        f"it reached {shown} without the proxy of HTTP_PROXY, and outside Deno a list of hosts can only be enforced through it: "
        "therefore net = true"
    )
    return True


def _is_own(path: str) -> bool:
    """Whether every run has this of its own. What was in /tmp before the run is the host's, so only /tmp itself is meant."""
    return path in _OWN or path in base.DEVICES or any(below(path, each) for each in _OWN[:2])


def _folded(paths: set[str], watched: Watched) -> tuple[str, ...]:
    return _outer(_fold(paths, {"/", watched.cwd, watched.home}))


def _fold(paths: set[str], never: set[str]) -> set[str]:
    """Put a directory in the place of many files in it, again and again."""
    while True:
        crowds: dict[str, list[str]] = {}
        for path in paths:
            crowds.setdefault(os.path.dirname(path), []).append(path)
        wide = {
            folder: inside
            for folder, inside in crowds.items()
            if len(inside) > MOST_SINGLE and folder not in never and folder.count("/") >= _SHALLOW
        }
        if not wide:
            return paths
        paths = paths.difference(*wide.values()) | wide.keys()


def _outer(paths: set[str]) -> tuple[str, ...]:
    """Return `paths` less those that are in another one, in order."""
    return tuple(
        sorted(path for path in paths if not any(path != other and below(path, other) for other in paths))
    )


def _named(paths: Iterable[str], cwd: str) -> Grant:
    names = (
        "./" + os.path.relpath(path, cwd) if path != cwd and below(path, cwd) and cwd != "/" else path
        for path in paths
    )
    return tuple("." if name == cwd else name for name in names) or False
