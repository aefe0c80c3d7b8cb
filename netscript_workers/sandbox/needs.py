"""What a command needs to start, found out from the command itself and the files of this host."""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from netscript_workers.domain.target import TaskType
from netscript_workers.sandbox.grants import follow, interpreter_of, programs_behind
from netscript_workers.sandbox.policy import Needs

_SYSTEM_PREFIXES: Final = ("/", "/usr", "/usr/local")
_WITH_LIBRARIES: Final = ("lib", "lib64", "share", "libexec")
_RESERVING: Final = frozenset({TaskType.DOTNET, TaskType.POWERSHELL, TaskType.DENO})


class Start(msgspec.Struct, frozen=True):
    """How a command begins: its words, the first of which is the absolute path of what is executed, and what that needs."""

    argv: tuple[str, ...]
    needs: Needs


def start_of(
    argv: Sequence[str],
    cwd: str,
    search_path: str,
    entry: str | None,
    kind: str | None = None,
    hidden: Sequence[str] = (),
) -> Start:
    """Find the program of `argv` and what it reads; `entry` is the target's own file, whose directory may be read.

    Raises `FileNotFoundError` when there is no such program. A script that begins with `#!/usr/bin/env NAME` is started by
    that program itself, so that the detour need not be allowed.
    """
    words = list(argv)
    words[0] = _found(words[0], cwd, search_path)
    words = _without_env(words, search_path)
    links: dict[str, str] = {}
    programs = programs_behind(follow(words[0], links))
    readable = [*_homes(words[0]), *(home for program in programs for home in _homes(program))]
    if kind == TaskType.DOTNET:  # its libraries are beside the host, in whatever folder that is
        beside = (Path(program).parent for program in programs)
        readable += [str(folder) for folder in beside if not _is_system(folder)]
    if entry is not None:
        readable.append(os.path.dirname(follow(os.path.join(cwd, entry), links)))
    needs = Needs(
        readable=tuple(dict.fromkeys(path for path in readable if path != "/")),
        executable=tuple(dict.fromkeys(programs)),
        links=tuple(links.items()),
        cwd=cwd,
        hidden=tuple(hidden),
        reserves_memory=kind in _RESERVING,
    )
    return Start(tuple(words), needs)


def needs_of_job(root: str, cwd: str, hidden: Sequence[str] = ()) -> Needs:
    """Find what this very interpreter reads when a handler goes on to import: its libraries, its path, the jobs directory."""
    links: dict[str, str] = {}
    places = [root, sys.prefix, sys.base_prefix, *(each for each in sys.path if os.path.isabs(each))]
    readable = [follow(each, links) for each in places if os.path.exists(each)]
    kept = tuple(dict.fromkeys(path for path in readable if path not in _SYSTEM_PREFIXES))
    return Needs(readable=kept, links=tuple(links.items()), cwd=cwd, hidden=tuple(hidden))


def _found(program: str, cwd: str, search_path: str) -> str:
    path = os.path.join(cwd, program) if "/" in program else shutil.which(program, path=search_path)
    if path is None or not os.path.exists(path):
        raise FileNotFoundError(2, os.strerror(2), program)
    return os.path.abspath(path)


def _without_env(words: list[str], search_path: str) -> list[str]:
    interpreter = interpreter_of(words[0])
    if len(interpreter) != 2 or os.path.basename(interpreter[0]) != "env":  # noqa: PLR2004 - program and argument
        return words
    rest = interpreter[1].removeprefix("-S ").split()
    if not rest or rest[0].startswith("-") or "=" in rest[0]:
        return words
    return [_found(rest[0], "/", search_path), *rest[1:], *words]


def _homes(program: str) -> list[str]:
    """Return the directories that belong to a program outside the system's own: its libraries, its virtual environment."""
    folder = Path(program).parent
    prefix = folder.parent if folder.name in {"bin", "Scripts"} else None
    if prefix is None:
        return [] if _is_system(folder) else [str(folder)]
    config = prefix / "pyvenv.cfg"
    if config.is_file():
        return [str(prefix), *_base_of(config)]
    if _is_system(prefix):
        return []
    return [str(prefix / name) for name in _WITH_LIBRARIES if (prefix / name).is_dir()]


def _base_of(config: Path) -> list[str]:
    """Return the homes of the interpreter that a virtual environment was made with."""
    for line in config.read_text(encoding="utf-8", errors="replace").splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "home":
            return _homes(str(Path(value.strip()) / "python3"))
    return []


def _is_system(folder: Path) -> bool:
    return str(folder) in _SYSTEM_PREFIXES or folder.is_relative_to("/usr")
