"""Real daemons of the installed command on a project of the test's own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PATIENCE_S = 45.0
WORKERS = str(Path(sys.executable).parent / "workers")


class Project:
    """A directory with a config and job modules, and the commands run in it."""

    def __init__(self, folder: Path, config: str, **modules: str) -> None:
        self.folder = folder
        jobs = folder / "workers" / "jobs"
        jobs.mkdir(parents=True)
        (folder / "config.toml").write_text(config)
        for name, text in modules.items():
            (jobs / f"{name}.py").write_text(text)

    def start(
        self, *options: str, log: str = "daemon.log", command: str = "combined"
    ) -> subprocess.Popen[bytes]:
        with (self.folder / log).open("ab") as out:
            return subprocess.Popen(
                [WORKERS, command, *options],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    @contextlib.contextmanager
    def daemon(self, *options: str) -> Iterator[subprocess.Popen[bytes]]:
        process = self.start(*options)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)

    def log(self) -> str:
        return (self.folder / "daemon.log").read_text()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [WORKERS, *arguments],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def json(self, *arguments: str):
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def trigger(self, target: str, payload: object = None) -> str:
        arguments = ["--payload", json.dumps(payload)] if payload is not None else []
        return self.json("trigger", target, *arguments)["executionId"]


def until(holds: Callable[[], object], what: str, seconds: float = PATIENCE_S) -> None:
    """Wait for a condition, within a generous bound."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not come within {seconds:.0f} s"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Tell whether a process runs (a zombie does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z" and os.path.exists(f"/proc/{pid}")
