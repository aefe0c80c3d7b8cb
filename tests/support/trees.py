"""A real `workers run` on a project of the test's own, and its processes."""

import contextlib
import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from support.daemons import PATIENCE_S, Project, alive, until


class Tree:
    """One `workers run` (owned by the `with` that made it): its supervisor, its children by name, its log."""

    def __init__(self, project: Project, process: subprocess.Popen[bytes]) -> None:
        self.project = project
        self.process = process

    def log(self) -> str:
        return self.project.log()

    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.log().splitlines() if line.endswith("}")]

    def ups(self, name: str) -> list[int]:
        """The process ids that a child has had, in order."""
        beginning = f"{name} is up (process "
        return [
            int(line["message"].removeprefix(beginning).rstrip(")"))
            for line in self.lines()
            if line["message"].startswith(beginning)
        ]

    def wait_up(self) -> None:
        until(
            lambda: "processes are up" in self.log() or self.process.poll() is not None, "the whole tree", 150
        )
        assert self.process.poll() is None, self.log()

    def wait_again(self, name: str, pid: int) -> int:
        """Wait until a child that had `pid` is up as another process, and return that."""
        until(lambda: self.ups(name)[-1] != pid, f"another {name}", 90)
        return self.ups(name)[-1]


@contextlib.contextmanager
def tree(project: Project, *options: str, wait: bool = True) -> Iterator[Tree]:
    """Start `workers run`, and end it with SIGTERM, however the test goes."""
    process = project.start(*options, command="run")
    one = Tree(project, process)
    try:
        if wait:
            one.wait_up()
        yield one
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S + 30)


def family(pid: int) -> set[int]:
    """Return every process below `pid`, and itself."""
    found = {pid}
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in path.read_text().split():
                found |= family(int(child))
    return found


def wait_gone(pids: set[int], seconds: float = 60.0) -> None:
    """Wait until none of `pids` runs any more."""
    until(lambda: not any(alive(pid) for pid in pids), f"the end of {pids}", seconds)
