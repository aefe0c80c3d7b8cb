"""Scratch virtual environments, one for each set of requirements, because the peers disagree about versions.

They lie in a cache directory and are used again while the requirements stay the same; `--fresh` makes them anew.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.peers.catalogue import Row

INSTALL_BOUND_S = 300.0


class UnavailableError(Exception):
    """A peer cannot be measured here; the message says why."""


def cache_directory() -> Path:
    """Say where the environments lie unless the command line tells."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "netscript-workers" / "peers"


class Environments:
    """Makes an environment when it is first needed and remembers why one could not be made."""

    def __init__(self, root: Path, *, fresh: bool, say) -> None:
        self._root = root
        self._fresh = fresh
        self._say = say
        self._made: dict[str, Path] = {}
        self._failed: dict[str, str] = {}

    def python(self, row: Row) -> Path:
        """Return the interpreter that has the row's requirements; raises `UnavailableError`."""
        if row.ours:
            return Path(sys.executable)
        key = f"{row.peer}-{hashlib.sha256(' '.join(row.requires).encode()).hexdigest()[:8]}"
        if key in self._failed:
            raise UnavailableError(self._failed[key])
        if key not in self._made:
            try:
                self._made[key] = self._make(self._root / key, row)
            except UnavailableError as failure:
                self._failed[key] = str(failure)
                raise
        return self._made[key]

    def versions(self, row: Row) -> dict[str, str]:
        """Say which versions of Python and of the row's packages are measured."""
        names = [word.partition("[")[0] for word in row.requires] or ["netscript-workers"]
        program = (
            "import json, platform, sys; from importlib.metadata import version; "
            "print(json.dumps({'python': platform.python_version()} | {n: version(n) for n in sys.argv[1:]}))"
        )
        argv = [str(self.python(row)), "-c", program, *names]
        return json.loads(subprocess.run(argv, capture_output=True, check=True, timeout=60).stdout)

    def _make(self, place: Path, row: Row) -> Path:
        python, stamp = place / "bin" / "python", place / "installed"
        if stamp.exists() and not self._fresh:
            return python
        shutil.rmtree(place, ignore_errors=True)
        base = _interpreter(row.python)
        self._say(f"installing {' '.join(row.requires)} into {place}")
        _run([base, "-m", "venv", str(place)])
        _run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *row.requires])
        stamp.write_text("\n".join(row.requires))
        return python


def _interpreter(least: tuple[int, int]) -> str:
    """Find the oldest Python that is new enough: this one, one on PATH, or one installed beside this one."""
    if sys.version_info[:2] >= least:
        return sys.executable
    for minor in range(least[1], least[1] + 4):
        name = f"python3.{minor}"
        beside = sorted(Path(sys.base_prefix).resolve().parent.glob(f"*3.{minor}*/bin/{name}"))
        for candidate in (shutil.which(name), *map(str, beside)):
            if (
                candidate
                and subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0
            ):
                return candidate
    raise UnavailableError(f"it needs Python {least[0]}.{least[1]} or later, and none was found here")


def _run(argv: list[str]) -> None:
    try:
        subprocess.run(argv, capture_output=True, text=True, check=True, timeout=INSTALL_BOUND_S)
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"installing it took more than {INSTALL_BOUND_S:.0f} s") from None
    except subprocess.CalledProcessError as failure:
        words = [line for line in failure.stderr.strip().splitlines() if line.startswith("ERROR")]
        raise UnavailableError(f"cannot be installed: {(words or ['pip said nothing'])[-1]}") from None
