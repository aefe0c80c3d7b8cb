"""A real systemd of the test's own: process 1 of private namespaces, with a control group, a /run and a /var/lib of its own.

Nothing of the host's files can be written from in there. All of it ends with `Machine.end`.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.daemons import WORKERS, until

_SYSTEMD = Path("/lib/systemd/systemd")
_PROGRAMS = ("unshare", "nsenter", "mount", "systemctl")
PLACE = "/run/shop"

# The root is read-only, and so are the host's settings of the kernel; a second /proc stays whole, since the kernel lets a
# sandbox mount a fresh one only beside a whole one.
_BOOT = f"""
set -e
for place in /run /tmp /var/tmp /var/lib; do mount -t tmpfs -o mode=755 none $place; done
mount -t cgroup2 none /sys/fs/cgroup
mkdir -p /run/units /run/proc {PLACE}
mount -o remount,ro,bind /
mount -t proc proc /run/proc
mount --bind /proc/sys /proc/sys
mount -o remount,ro,bind /proc/sys
for target in sysinit basic shutdown multi-user network-online default; do
  printf '[Unit]\\nDefaultDependencies=no\\n' > /run/units/$target.target
done
exec env -i container=tests SYSTEMD_UNIT_PATH=/run/units PATH="$PATH" {_SYSTEMD} --system --log-target=console --show-status=0
"""


class Machine:
    """A booted systemd."""

    def __init__(self, folder: Path, group: Path) -> None:
        self._log = folder / "systemd.log"
        self._group = group
        group.mkdir()
        join = f'echo $$ > {group}/cgroup.procs; exec "$@"'
        unshare = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--mount", "--cgroup"]
        unshare += ["--ipc", "--uts", "--net", "sh", "-c", _BOOT]
        with self._log.open("wb") as log:
            self._keeper = subprocess.Popen(
                ["sh", "-c", join, "sh", *unshare], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def wait(self) -> None:
        until(self._pid, "systemd")
        until(lambda: self._is_up() or self._keeper.poll() is not None, "the end of its start")
        if self._keeper.poll() is not None:
            pytest.skip(f"systemd cannot be process 1 of a namespace here: {self.log()[-500:]}")

    def log(self) -> str:
        return self._log.read_text()

    def _pid(self) -> int:
        children = Path(f"/proc/{self._keeper.pid}/task/{self._keeper.pid}/children")
        with contextlib.suppress(OSError):
            return int((children.read_text().split() or ["0"])[0])
        return 0

    def _is_up(self) -> bool:
        return self.run("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")

    def path(self, inside: str) -> Path:
        """The path by which this side sees a file in there."""
        return Path(f"/proc/{self._pid()}/root{inside}")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        enter = ["nsenter", "-t", str(self._pid()), "-m", "-p", "-n", "-i", "env", "-C", PLACE]
        return subprocess.run(
            [*enter, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def workers(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run(WORKERS, *arguments)

    def shown(self, unit: str, name: str) -> str:
        return self.run("systemctl", "show", "--value", "-p", name, unit).stdout.strip()

    def end(self) -> None:
        self._keeper.kill()  # which kills process 1, and with it all that is in there
        self._keeper.wait(30)
        deadline = time.monotonic() + 30
        while self._group.exists():
            for group in sorted(self._group.rglob("*/"), reverse=True):
                with contextlib.suppress(OSError):
                    group.rmdir()
            try:
                self._group.rmdir()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


def _control_groups() -> Path | None:
    """Return where this host's second hierarchy is mounted, if it can be written."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        head, _, tail = line.partition(" - ")
        if tail.startswith("cgroup2 "):
            place = Path(head.split()[4])
            return place if os.access(place, os.W_OK) else None
    return None


@contextlib.contextmanager
def booted(folder: Path):
    """Boot a machine for the time of a `with`; the test is skipped, with the reason, where that cannot be."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a systemd of its own needs Linux and root")
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    if not _SYSTEMD.exists() or missing:
        pytest.skip(f"systemd is not installed, or {', '.join(missing) or 'it'} is missing")
    groups = _control_groups()
    if groups is None:
        pytest.skip("there is no cgroup2 hierarchy that can be written")
    machine = Machine(folder, groups / f"netscript-workers-test-{os.getpid()}-{time.time_ns()}")
    try:
        machine.wait()
        yield machine
    finally:
        machine.end()
