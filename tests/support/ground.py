"""The ground that hostile runs are let loose on: files granted and not, a victim, and a copy of the attacks."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

import support

PYTHON = "/usr/bin/python3"


def needs_system_python() -> str:
    """Return a Python that every user may execute."""
    if not os.access(PYTHON, os.X_OK):
        pytest.skip(f"there is no {PYTHON}, which an ordinary user could run")
    return PYTHON


class Ground:
    """Places by name, as the attacks know them."""

    def __init__(self, root: Path, victim: int, ports: dict[str, int], abstract: str) -> None:
        self.root = root
        self.script = str(root / "work" / "attacks.py")
        self.work = str(root / "work")
        self.granted = str(root / "granted")
        self.out = str(root / "out")
        self.at = {
            "secret": str(root / "secret" / "secret.txt"),
            "queue": str(root / "secret" / "queue.sqlite3"),
            "beside": str(root / "secret"),
            "granted": self.granted,
            "readable": str(root / "granted" / "readable.txt"),
            "movable": str(root / "granted" / "movable.txt"),
            "out": self.out,
            "victim": victim,
            "daemon": os.getpid() if os.geteuid() == os.stat(root).st_uid else victim,
            "socket": str(root / "secret" / "socket"),
            "readable_socket": str(root / "granted" / "socket"),
            "abstract": abstract,
            **ports,
        }

    def argv(self) -> tuple[str, ...]:
        return (needs_system_python(), "-s", self.script, json.dumps(self.at))


@contextlib.contextmanager
def laid_out(user: int) -> Iterator[Ground]:
    """Lay the ground for `user`, who owns all of it, and let it go."""
    root = Path(tempfile.mkdtemp(prefix="workers-ground-", dir="/var/tmp"))
    try:
        for name in ("work", "granted", "out", "secret"):
            (root / name).mkdir()
        for name in ("attacks.py", "further_attacks.py", "victim.py"):
            shutil.copy(Path(support.__path__[0]) / name, root / "work" / name)
        for name in ("secret.txt", "queue.sqlite3", "queue.sqlite3-wal"):
            (root / "secret" / name).write_text("a secret")
        for name in ("readable.txt", "movable.txt"):
            (root / "granted" / name).write_text("granted")
        (root / "granted" / "link").symlink_to("../secret/secret.txt")
        for each in (root, *root.rglob("*")):
            os.chown(each, user, user, follow_symlinks=False)
        root.chmod(0o755)
        with _victim(root, user) as (pid, ports, abstract):
            yield Ground(root, pid, ports, abstract)
    finally:
        shutil.rmtree(root)


@contextlib.contextmanager
def _victim(root: Path, user: int) -> Iterator[tuple[int, dict[str, int], str]]:
    abstract = f"workers-{uuid.uuid4()}"
    process = subprocess.Popen(
        [
            needs_system_python(),
            "-I",
            str(root / "work" / "victim.py"),
            str(root / "secret" / "socket"),
            str(root / "granted" / "socket"),
            abstract,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"VICTIM_SECRET": "token"},
        cwd=root,
        user=user,
        group=user,
    )
    with process:
        try:
            yield process.pid, json.loads(process.stdout.readline()), abstract
        finally:
            process.stdin.close()
            process.wait(10)
