"""Which files of a directory are modules to look into."""

import os
from collections.abc import Iterator
from pathlib import Path

from netscript_workers.catalog import codes
from netscript_workers.catalog.found import Findings
from netscript_workers.domain.problem import Problem

_HINT = "copy the module there, or begin its name with _ if it is not to be scanned"


def python_files(root: Path, findings: Findings) -> Iterator[str]:
    """Yield the real paths of the Python files below `root`, sorted, each once.

    Names that begin with `_` or `.` are skipped, directories too. A link that leads out of `root` is a
    problem; one to a directory inside is not followed, since what it shows is scanned at its own place.
    """

    def unreadable(error: OSError) -> None:
        findings.problems.append(
            Problem(
                code=codes.UNREADABLE,
                message=f"{error.filename} cannot be read: {error.strerror}",
                hint="give the daemon's user the right to read it",
                file=str(error.filename),
            )
        )

    if not root.exists():
        return
    base = root.resolve()
    seen: set[str] = set()
    for directory, names, files in os.walk(base, onerror=unreadable):
        names[:] = sorted(name for name in names if not name.startswith(("_", ".")))
        here = Path(directory)
        for name in names:
            if (here / name).is_symlink():
                _inside(here / name, base, findings)
        for name in sorted(files):
            if name.startswith(("_", ".")) or not name.endswith(".py"):
                continue
            real = _inside(here / name, base, findings)
            if real is not None and real not in seen:
                seen.add(real)
                yield real


def _inside(path: Path, base: Path, findings: Findings) -> str | None:
    real = path.resolve()
    if real.is_relative_to(base):
        return str(real)
    findings.problems.append(
        Problem(
            code=codes.NOT_CONFINED,
            message=f"{path} is a link that leads out of {base}, to {real}",
            hint=_HINT,
            file=str(path),
        )
    )
    return None
