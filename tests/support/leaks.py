"""What a test may leave behind: nothing. Here is how that is looked at, on Linux through /proc.

`Ground.take()` photographs the test process: descendants, threads, open descriptors, files in the private
temporary directory. `Ground.leaks_since(before)` names what is there now and was not before. Where /proc is
missing (macOS), descendants and descriptors are not looked at.
"""

import asyncio
import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

PATIENCE_SECONDS = 5.0
TASK_PATIENCE_SECONDS = 1.0

# Every program started below this process inherits this variable, so that descendants that left our process
# tree (daemonised, or their parent was killed) are still found. One value for each pytest process.
MARK = "NETSCRIPT_WORKERS_TEST_RUN"
MARK_VALUE = f"{os.getpid()}-{time.time_ns()}"

# Directories of the servers that the test run started for itself (support/servers.py), some in the middle of a
# test: what works below them comes and goes as it likes and is ended by its owner.
HOUSE_DIRECTORIES: set[Path] = set()

# Threads of pytest's own plugins, by the beginning of their names.
HOUSE_THREADS = ("pytest_timeout", "execnet")

_PROC = Path("/proc")
_LOOKS_AT_AN_ENVIRONMENT = 20
_ENV_END = 48  # the field of /proc/PID/stat, counted from the state; 0 until an exec has set it
# Processes that were looked at and are none of ours, and how often: a look is two system calls and a lock, and there are two
# looks at all of the machine in every test. One that is just being started has no environment yet, so once is not enough.
_LOOKS_ENOUGH = 3
_strangers: dict[str, int] = {}


@dataclass(frozen=True)
class Ground:
    """One photograph. The values say what a key is, for the message."""

    processes: dict[int, str]
    threads: dict[int, str]
    descriptors: dict[tuple[str, str], str]
    files: dict[str, str]

    @classmethod
    def take(cls, scratch: Path) -> "Ground":
        return cls(
            processes=dict(_descendants()),
            threads=dict(_threads()),
            descriptors=dict(_descriptors()),
            files={str(path): str(path) for path in scratch.rglob("*")},
        )

    def leaks_since(self, before: "Ground") -> dict[str, list[str]]:
        """Map the kind of each leak (`process`, `thread`, `descriptor`, `file`) to what was left."""
        found = {
            "process": [text for pid, text in self.processes.items() if pid not in before.processes],
            "thread": [text for ident, text in self.threads.items() if ident not in before.threads],
            "descriptor": [text for key, text in self.descriptors.items() if key not in before.descriptors],
            "file": [text for key, text in self.files.items() if key not in before.files],
        }
        return {kind: texts for kind, texts in found.items() if texts}


def wait_until_clean(before: Ground, scratch: Path, allowed: frozenset[str]) -> dict[str, list[str]]:
    """Look until nothing is left or patience is over; return what is left, by kind."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    pause = 0.005
    while True:
        leaks = Ground.take(scratch).leaks_since(before)
        leaks = {kind: texts for kind, texts in leaks.items() if kind not in allowed}
        if not leaks or time.monotonic() > deadline:
            return leaks
        gc.collect()  # a descriptor held by a reference cycle is not lost yet
        time.sleep(pause)
        pause = min(pause * 2, 0.2)


def end_new_processes(before: Ground) -> None:
    """Kill the descendants that were not there before, so that one leak does not fail every later test."""
    for pid, _ in list(_descendants()):
        if pid in before.processes:
            continue
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError, PermissionError):
            continue


def watch_event_loops(report: Callable[[str], None]) -> Callable[[], None]:
    """Report each task that is still pending when an `asyncio.Runner` closes; return the undoing.

    Closing cancels such tasks without a word, so this is the last moment they can be seen. pytest-asyncio,
    `asyncio.run` and `uvloop.run` all close a Runner.
    """
    close = asyncio.Runner.close

    def close_and_report(self: asyncio.Runner) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed() and not loop.is_running():
            pending = asyncio.all_tasks(loop)
            if pending:
                _, pending = loop.run_until_complete(asyncio.wait(pending, timeout=TASK_PATIENCE_SECONDS))
            for task in pending:
                report(repr(task))
        close(self)

    def undo() -> None:
        asyncio.Runner.close = close

    asyncio.Runner.close = close_and_report
    return undo


def _threads() -> Iterator[tuple[int, str]]:
    for thread in threading.enumerate():
        if not thread.name.startswith(HOUSE_THREADS):
            yield thread.ident or 0, f"{thread.name!r}{' (daemon)' if thread.daemon else ''}"


def _descriptors() -> Iterator[tuple[tuple[str, str], str]]:
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:
        return
    for name in names:
        if name in {"0", "1", "2"}:
            continue  # pytest moves these about to capture output
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue  # the one that listed the directory
        yield (name, target), f"{name} -> {target}"


def _descendants() -> Iterator[tuple[int, str]]:
    if not _PROC.is_dir():
        return
    seen = set(_children_of(os.getpid()))
    entries = {entry for entry in os.listdir(_PROC) if entry.isdigit()}
    for gone in _strangers.keys() - entries:
        del _strangers[gone]
    for entry in entries - {str(os.getpid()), *map(str, seen)}:
        if _strangers.get(entry, 0) >= _LOOKS_ENOUGH:
            continue
        if is_marked(entry):
            seen.add(int(entry))
        else:
            _strangers[entry] = _strangers.get(entry, 0) + 1
    for pid in seen:
        if not _is_of_the_house(pid):
            yield pid, _describe(pid)


def _children_of(pid: int) -> Iterator[int]:
    try:
        tasks = list((_PROC / str(pid) / "task").glob("*/children"))
    except OSError:
        return  # it ended between the look at its parent and this one
    for children in tasks:
        try:
            pids = [int(word) for word in children.read_text().split()]
        except OSError:
            continue  # that thread has just ended
        for child in pids:
            yield child
            yield from _children_of(child)


def is_marked(pid: str) -> bool:
    """Tell whether a process inherits the mark; one in the midst of an exec counts as ours, and the next look tells.

    There the kernel shows an empty environment. On a busy machine a process can stand there for a while, and one look that
    does not see it would take the ground for clean.
    """
    place = _PROC / pid
    try:
        for _ in range(_LOOKS_AT_AN_ENVIRONMENT):
            if environment := (place / "environ").read_bytes():
                return f"{MARK}={MARK_VALUE}".encode() in environment
            (place / "exe").readlink()  # OSError: a zombie, or a thread of the kernel
            if _has_no_environment_yet(place):
                return True
    except OSError:
        return False  # gone, or not ours
    return False  # it was started with none


def _has_no_environment_yet(place: Path) -> bool:
    fields = (place / "stat").read_text().rpartition(")")[2].split()
    return fields[_ENV_END] == "0" and fields[0] != "Z"


def _is_of_the_house(pid: int) -> bool:
    if not HOUSE_DIRECTORIES:
        return False
    try:
        place = (_PROC / str(pid) / "cwd").readlink()
    except OSError:
        return False  # a zombie, or just gone: the next look tells
    return any(place.is_relative_to(directory) for directory in HOUSE_DIRECTORIES)


def _describe(pid: int) -> str:
    try:
        command = (
            (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        )
        state = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return f"{pid} (just gone)"
    return f"{pid} [{state}] {command or '(a zombie: nobody waited for it)'}"
