"""Permissions as this host's files know them: absolute paths, links followed, programs found."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from netscript_workers.domain.permissions import Grant, Permissions
from netscript_workers.sandbox.hosts import HostRule, parse

_MAX_SCRIPTS: Final = 4  # an interpreter may itself be a script, but not for ever; the kernel's own bound
_SHEBANG_BYTES: Final = 256


class Grants(msgspec.Struct, frozen=True, kw_only=True):
    """What is granted here. True is everything; a tuple holds real absolute paths. `links` are (place, target).

    `problems` are grants that lead to nothing: they could not be kept.
    """

    net: bool | tuple[HostRule, ...] = False
    read: bool | tuple[str, ...] = False
    write: bool | tuple[str, ...] = False
    run: bool | tuple[str, ...] = False
    links: tuple[tuple[str, str], ...] = ()
    problems: tuple[str, ...] = ()


def resolve(permissions: Permissions, cwd: str, search_path: str) -> Grants:
    """Look up what `permissions` name. Relative paths are relative to `cwd`, programs are found in `search_path`."""
    problems: list[str] = []
    links: dict[str, str] = {}
    write = _paths(permissions.write, cwd, links, problems)
    read = _paths(permissions.read, cwd, links, None)
    problems += _led_out("read", permissions.read, permissions.write, cwd)
    problems += _led_out("write", permissions.write, permissions.write, cwd)
    return Grants(
        net=_hosts(permissions.net, problems),
        read=read,
        write=write,
        run=_programs(permissions.run, cwd, search_path, links, problems),
        links=tuple(links.items()),
        problems=tuple(problems),
    )


def follow(path: str, links: dict[str, str]) -> str:
    """Return where `path` really is; when it is a link, or lies behind one, `links` remembers the way."""
    place = os.path.normpath(path)
    real = os.path.realpath(place)
    if real != place:
        links[place] = real
    return real


def programs_behind(program: str) -> list[str]:
    """Return `program` and, when it is a script, the interpreters that the kernel starts for it."""
    found = [program]
    for _ in range(_MAX_SCRIPTS):
        interpreter = interpreter_of(found[-1])
        if not interpreter:
            break
        found.append(os.path.realpath(interpreter[0]))
    return found


def interpreter_of(path: str) -> list[str]:
    """Return the words of a script's first line (interpreter, and its argument if any); nothing for another file."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(_SHEBANG_BYTES)
    except OSError:
        return []
    if not head.startswith(b"#!"):
        return []
    return os.fsdecode(head[2:].split(b"\n", 1)[0].strip()).split(None, 1)


def _hosts(grant: Grant, problems: list[str]) -> bool | tuple[HostRule, ...]:
    if isinstance(grant, bool):
        return grant
    rules: list[HostRule] = []
    for entry in grant:
        try:
            rules.append(parse(entry))
        except ValueError as error:
            problems.append(f"net: {error}")
    return tuple(rules)


def _paths(
    grant: Grant, cwd: str, links: dict[str, str], problems: list[str] | None
) -> bool | tuple[str, ...]:
    if isinstance(grant, bool):
        return grant
    found: list[str] = []
    for entry in grant:
        place = os.path.join(cwd, os.path.expanduser(entry))
        real = follow(place, links)
        if os.path.exists(real):
            found.append(real)
        elif problems is not None:
            problems.append(f"write: there is no {real}; make it, or grant its directory")
    return True if "/" in found else tuple(found)


def _led_out(kind: str, grant: Grant, write: Grant, cwd: str) -> list[str]:
    """Find paths of `grant` that lead out of a directory of `write` they lie in: an earlier run may have put a link there."""
    if isinstance(grant, bool) or isinstance(write, bool):
        return []
    writable = [os.path.realpath(_place(entry, cwd)) for entry in write]
    found: list[str] = []
    for place in (_place(entry, cwd) for entry in grant):
        real = Path(os.path.realpath(place))
        steps = [Path(os.path.realpath(step.parent)) / step.name for step in (place, *place.parents)]
        for directory in writable:
            passes = any(directory in map(str, step.parents) for step in steps)
            if passes and not real.is_relative_to(directory):
                cure = f"name where it leads, {real}, if that is meant"
                found.append(f"{kind}: {place} leads out of {directory}, which may be written; {cure}")
                break
    return found


def _place(entry: str, cwd: str) -> Path:
    return Path(os.path.normpath(os.path.join(cwd, os.path.expanduser(entry))))


def _programs(
    grant: Grant, cwd: str, search_path: str, links: dict[str, str], problems: list[str]
) -> bool | tuple[str, ...]:
    if isinstance(grant, bool):
        return grant
    found: list[str] = []
    for entry in grant:
        path = os.path.join(cwd, entry) if "/" in entry else shutil.which(entry, path=search_path)
        if path is None or not os.access(path, os.X_OK):
            problems.append(f"run: there is no program {entry!r} here")
            continue
        found += programs_behind(follow(path, links))
    return tuple(dict.fromkeys(found))


def outermost(paths: Iterable[str]) -> tuple[str, ...]:
    """Return `paths`, each once, parents before what is in them."""
    return tuple(sorted(dict.fromkeys(paths), key=lambda path: (path.count("/"), path)))
