"""What a confined run was denied, read from what it left: the watcher's own lines, and the words of common runtimes."""

import os
import re
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from netscript_workers.sandbox.mark import MARK

_WORDS: Final = "Permission denied|Operation not permitted|No such file or directory|Read-only file system"
_QUOTED: Final = re.compile(
    r"(?:Errno 13|Errno 1|Errno 2|Errno 30)\][^:\n]*: (?:b?['\"])(?P<path>[^'\"\n]+)['\"]"
)
_SHELL: Final = re.compile(rf"(?:^|: )(?P<path>[^:\n]+): (?:{_WORDS})$")
_COREUTILS: Final = re.compile(rf"['\u2018](?P<path>[^'\u2019\n]+)['\u2019]: (?:{_WORDS})")
_DOTNET: Final = re.compile(
    r"(?:Access to the path|Could not find (?:a part of the path|file)) '(?P<path>/[^'\n]+)'"
)
_WRITING: Final = re.compile(
    r"Read-only file system|cannot (?:create|touch|remove|open .* for writing)|Errno 30|Access to the path"
)
_MISSING: Final = re.compile(r"No such file or directory|Errno 2\]|Could not find")


class Denial(msgspec.Struct, frozen=True):
    """One thing a run was denied: the permission (`net`, `read`, `write`, `run`), what it asked for, and if that is certain."""

    permission: str
    asked: str
    certain: bool = False

    def advice(self) -> str:
        """Say what to write into the config to allow it, as TOML."""
        if self.permission == "net":
            host = self.asked if "." in self.asked or ":" in self.asked else ""
            return f'net = ["{host}"]' if host else 'net = ["HOST:PORT"] (or net = true)'
        if self.permission == "run" and not self.asked.startswith("/"):
            return "run = true"
        return f'{self.permission} = ["{self.asked}"]'


def found_in(
    lines: Iterable[str],
    *,
    may_read: Callable[[str], bool],
    may_write: Callable[[str], bool],
    cwd: str = "/",
) -> list[Denial]:
    """Return the denials that `lines` of standard error tell of, in order, each once.

    A path that a run complains about was denied when its permissions do not cover it; one that does not exist on the host
    either is an ordinary mistake. A relative one counts from `cwd`, and only when it leads to something: it may be other words.
    """
    denials: dict[tuple[str, str], Denial] = {}
    for line in lines:
        denial = _watched(line) or _complaint(line, cwd, may_read, may_write)
        if denial is not None and ("run", denial.asked) not in denials:  # the shell complains of that one too
            denials.setdefault((denial.permission, denial.asked), denial)
    return list(denials.values())


def told(denials: list[Denial]) -> str:
    """Put denials into words: what was asked, and what to write to allow it."""
    words = [f"{each.permission}: {each.asked}" for each in denials]
    advice = list(dict.fromkeys(each.advice() for each in denials))
    return f"permission denied ({'; '.join(words)}). To allow it, write into the target's permissions: {', '.join(advice)}"


def _watched(line: str) -> Denial | None:
    if not line.startswith(MARK):
        return None
    permission, _, asked = line[len(MARK) :].strip().partition(" ")
    return Denial(permission, asked, certain=True)


def _complaint(
    line: str, cwd: str, may_read: Callable[[str], bool], may_write: Callable[[str], bool]
) -> Denial | None:
    match = next(filter(None, (each.search(line) for each in (_QUOTED, _COREUTILS, _DOTNET, _SHELL))), None)
    if match is None:
        return None
    path = os.path.normpath(os.path.join(cwd, match["path"]))
    if not match["path"].startswith("/") and not os.path.lexists(path):
        return None
    if not may_read(path):
        if _MISSING.search(line) and not os.path.exists(path):
            return Denial("write", path) if _WRITING.search(line) else None
        return Denial("write" if _WRITING.search(line) else "read", path)
    if not may_write(path) and not _MISSING.search(line):
        return Denial("write", path)
    return None
