"""A peer's worker under measurement, its marks, and the processor time that processes have used."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from benchmarks.peers.environments import UnavailableError
from support import server_keeper

PROGRAMS = Path(__file__).parent / "programs"
END_BOUND_S = 20.0
ENQUEUE_BOUND_S = 300.0
_TAIL = 5_000
_ERROR = re.compile(r"\w(Error|Exception|Refused)\b|^(ERROR|error)\b")
_TICKS = os.sysconf("SC_CLK_TCK")


class Marks:
    """The file that every run appends its start to, eight bytes each."""

    def __init__(self, file: Path) -> None:
        self.file = file
        file.touch()

    def count(self) -> int:
        """Return how many runs have started."""
        return self.file.stat().st_size // 8

    def times(self) -> list[int]:
        """Return the starts in nanoseconds since 1970, in the order of appending."""
        data = self.file.read_bytes()
        return [int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8)]

    def clear(self) -> None:
        """Forget all."""
        os.truncate(self.file, 0)


class Peer:
    """One row's program in its environment and its own directory."""

    def __init__(self, python: Path, program: str, directory: Path, variables: dict[str, str]) -> None:
        self.directory = directory
        self.marks = Marks(directory / "marks")
        self._argv = [str(python), str(PROGRAMS / "drive.py"), program]
        # Nothing else of this environment: no setting of somebody's Celery or of ours may change what is measured.
        kept = {name: os.environ[name] for name in ("LANG", "HOME", "TMPDIR") if name in os.environ}
        self._environment = kept | {
            "PATH": f"{python.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(PROGRAMS),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PEER_MARKS": str(self.marks.file),
            "PEER_DIRECTORY": str(directory),
            "PEER_FILE": str(directory / "queue.sqlite3"),
            **variables,
        }

    def do(self, *words: str) -> str:
        """Run one verb of the program to its end and return what it printed; raises `UnavailableError`."""
        argv = [*self._argv, *words]
        try:
            done = subprocess.run(
                argv,
                cwd=self.directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=ENQUEUE_BOUND_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise UnavailableError(f"`{words[0]}` took more than {ENQUEUE_BOUND_S:.0f} s") from None
        if done.returncode != 0:
            raise UnavailableError(f"`{words[0]}` ended with {done.returncode}: {last_line(done.stderr)}")
        return done.stdout

    def sent(self, samples: int) -> list[int]:
        """Enqueue `samples` jobs one after another from a process of its own and return when each was."""
        said = self.do("probe", str(samples))
        try:
            return json.loads(said.splitlines()[-1])
        except (IndexError, json.JSONDecodeError):
            raise UnavailableError(f"`probe` answered with something else: {last_line(said)}") from None

    def worker(self) -> "Worker":
        """Make its worker, not yet started."""
        return Worker([*self._argv, "worker"], self.directory, self._environment)


class Worker:
    """The peer's own worker command; as a context manager it starts and ends it, children included."""

    def __init__(self, argv: list[str], directory: Path, environment: dict[str, str]) -> None:
        self._argv = argv
        self._place = directory / "worker"  # processes are known by their current directory
        self._environment = environment
        self._log = directory / "worker.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._place.mkdir(exist_ok=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._argv,
                cwd=self._place,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(END_BOUND_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(END_BOUND_S)
        server_keeper.kill_all_below(self._place)

    def check(self) -> None:
        """Raise `UnavailableError` with its last words when it has ended."""
        assert self._process is not None
        if self._process.poll() is not None:
            raise UnavailableError(f"its worker ended with {self._process.returncode}: {self.last_words()}")

    def last_words(self) -> str:
        """Return the last line of its log."""
        return last_line(self._log.read_text(errors="replace"))

    def pids(self) -> list[int]:
        """List its processes."""
        return server_keeper.processes_below(self._place)


def last_line(text: str) -> str:
    """Return the last line that names an error, else the last that says something; shortened."""
    lines = [line for line in text[-_TAIL:].splitlines() if line.strip(" │╰─╯╭╮")]
    lines = [line for line in lines if _ERROR.search(line)] or lines
    return lines[-1].strip(" │")[:300] if lines else "(it said nothing)"


def processor_s(pids: Iterable[int]) -> float:
    """Return the processor time of processes and of their children that have ended, to the clock tick (10 ms)."""
    used = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile; its parent counts it
        used += sum(map(int, fields[11:15]))
    return used / _TICKS


def idle_percent(pids: Iterable[int], seconds: float) -> float:
    """Return how much of one core processes use while nothing happens, to the microsecond."""
    pids = list(pids)
    before, begun = _scheduled_ns(pids), time.monotonic_ns()
    time.sleep(seconds)
    return 100 * (_scheduled_ns(pids) - before) / (time.monotonic_ns() - begun)


def _scheduled_ns(pids: Iterable[int]) -> int:
    total = 0
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                total += int(thread.read_text().split()[0])
            except (OSError, IndexError):
                continue  # the thread ended between the listing and the look
    return total
