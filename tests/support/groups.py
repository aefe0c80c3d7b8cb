"""A control group that was delegated to whoever runs the test: made by root, as systemd would make it for a service."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from netscript_workers.sandbox import cgroups
from netscript_workers.sandbox.cgroups import Groups

CONTROLLERS = ("memory", "pids")


def top() -> Path | None:
    """Where cgroup v2 is mounted."""
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except FileNotFoundError:
        return None
    places = [line.split()[4] for line in lines if " - cgroup2 " in line]
    return Path(places[0]) if places else None


def place_of(pid: int | str = "self") -> Path:
    """The group in which a process is."""
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    own = next(line.removeprefix("0::/") for line in lines if line.startswith("0::"))
    mount = top()
    assert mount is not None
    return mount / own


def processes_in(group: Path) -> list[int]:
    return [int(pid) for pid in (group / "cgroup.procs").read_text().split()]


def runs_in(group: Path) -> list[str]:
    return sorted(path.name for path in group.glob("run-*"))


def put(group: Path, pid: int = 0) -> None:
    (group / "cgroup.procs").write_text(str(pid))


@contextlib.contextmanager
def delegated(user: int | None = None) -> Iterator[Path]:
    """A group with the controllers of memory and processes, which belongs to `user`; skips where there can be none."""
    mount = top()
    if mount is None or os.getuid() != 0:
        pytest.skip("a delegated control group is made by root, in a mounted cgroup v2")
    offered = (mount / "cgroup.controllers").read_text().split()
    missing = [name for name in CONTROLLERS if name not in offered]
    if missing:
        pytest.skip(
            f"cgroup v2 in {mount} has no controller for {' and '.join(missing)} (they are in v1, or kept away)"
        )
    enabled = (mount / "cgroup.subtree_control").read_text().split()
    try:
        for name in CONTROLLERS:
            if name not in enabled:
                (mount / "cgroup.subtree_control").write_text(f"+{name}")
        group = mount / f"workers-test-{os.getpid()}-{secrets.token_hex(4)}"
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made in {mount}: {error}")
    try:
        if user is not None:
            give(group, user)
        yield group
    finally:
        remove_tree(group)


def give(group: Path, user: int) -> None:
    """Hand a group over as systemd does."""
    for path in (
        group,
        group / "cgroup.procs",
        group / "cgroup.subtree_control",
        group / "cgroup.threads",
    ):
        os.chown(path, user, user)


@contextlib.contextmanager
def settled(group: Path) -> Iterator[Groups]:
    """This very process settled in `group`, as a daemon settles, and brought home afterwards."""
    home = place_of()
    put(group)
    try:
        yield cgroups.settle()
    finally:
        put(home)


def remove_tree(group: Path) -> None:
    for path in sorted(group.glob("*/")):
        remove_tree(path)
    cgroups.kill(group)
    from support.daemons import until

    until(lambda: cgroups.remove(group), f"the end of {group}")


def command_in(group: Path, *command: str) -> list[str]:
    """The words that start `command` in `group`, as its service manager would."""
    return ["/bin/sh", "-c", 'echo 0 > "$0/cgroup.procs" && exec "$@"', str(group), *command]
