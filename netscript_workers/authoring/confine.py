"""The one way to a file that user input names: resolved, and inside its directory."""

from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NewType

from netscript_workers.errors import DefinitionError

# Made by `confine` alone: whoever takes one need not check again.
ConfinedPath = NewType("ConfinedPath", str)


class ConfinementError(DefinitionError):
    """A path leads out of its directory (absolute, `..`, a symbolic link), or to nothing."""


def split_entrypoint(entrypoint: str) -> tuple[str, str | None]:
    """Split `path.py:attr` into path and attribute (None without one)."""
    path, separator, attribute = entrypoint.rpartition(":")
    if not separator or not attribute.isidentifier():
        return entrypoint, None
    return path, attribute


def confine(entrypoint: str, root: Path | str) -> ConfinedPath:
    """Return the absolute real path of `entrypoint` inside `root`; it exists (a file or a directory).

    Raises `ConfinementError` for an absolute path, one with `..`, a URL, a link out of `root`, or nothing
    there.
    """
    if not entrypoint.strip() or "\0" in entrypoint:
        raise ConfinementError(f"the entrypoint {entrypoint!r} is no path")
    if "://" in entrypoint:
        raise ConfinementError(
            f"the entrypoint {entrypoint!r} is a URL; entrypoints are files, relative to {root}"
        )
    if PurePosixPath(entrypoint).is_absolute() or PureWindowsPath(entrypoint).is_absolute():
        raise ConfinementError(f"the entrypoint {entrypoint!r} is absolute; it must be relative to {root}")
    if ".." in PurePosixPath(entrypoint).parts or ".." in PureWindowsPath(entrypoint).parts:
        raise ConfinementError(f"the entrypoint {entrypoint!r} climbs out of {root} with `..`")
    try:
        base = Path(root).resolve()
        real = (base / entrypoint).resolve()
        there = real.exists()
    except (OSError, RuntimeError) as error:
        raise ConfinementError(
            f"the entrypoint {entrypoint!r} cannot be resolved in {root}: {error}"
        ) from None
    if not real.is_relative_to(base):
        raise ConfinementError(f"the entrypoint {entrypoint!r} is a link that leads out of {root}, to {real}")
    if not there:
        raise ConfinementError(f"the entrypoint {entrypoint!r} does not exist: there is no {real}")
    return ConfinedPath(str(real))
