"""A small process that outlives pytest by a moment: it ends the servers of a test run that was killed.

Started as `python server_keeper.py PID DIRECTORY`. When process PID is gone it kills every process that works
below DIRECTORY (its current directory is there) and removes DIRECTORY. Whoever ends in good order kills the
keeper instead. Standard library only: it runs isolated and must start fast.
"""

import os
import select
import shutil
import signal
import sys
import time
from pathlib import Path

_SWEEPS = 50


def processes_below(directory: Path) -> list[int]:
    """List the processes whose current directory is `directory` or below it; a zombie has none."""
    below = f"{directory}/"
    found: list[int] = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            place = os.readlink(f"/proc/{entry}/cwd")
        except OSError:
            continue  # gone meanwhile, a zombie, or not ours to see
        if f"{place.removesuffix(' (deleted)')}/".startswith(below):
            found.append(int(entry))
    return found


def signal_all(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to each that is still there."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def kill_all_below(directory: Path) -> None:
    """Kill until nothing is left, children that were just being made included."""
    for _ in range(_SWEEPS):
        pids = [pid for pid in processes_below(directory) if pid != os.getpid()]
        if not pids:
            return
        signal_all(pids, signal.SIGKILL)
        time.sleep(0.02)


def main() -> None:
    pid, directory = int(sys.argv[1]), Path(sys.argv[2])
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        pass  # it was killed before we could look
    else:
        select.select([watched], [], [])
    kill_all_below(directory)
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
