"""Control groups (cgroup v2): where one was delegated to this daemon, a run whose memory or processes are limited gets its own.

The delegated group itself holds no process, since only such a group can hand controllers down: the daemon's own processes are in
`OWN` below it, and each limited run in a group beside that (see leaf.py), whose name tells the process that made it.
"""

import contextlib
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

OWN: Final = "workers-daemon"
_RUN: Final = "run-"
_WANTED: Final = ("memory", "pids")
_UNITS: Final = (".service", ".scope", ".slice")
_DELEGATION: Final = (
    "user.delegate",
    "trusted.delegate",
)  # systemd's marks; the second one only root can read
_SYSTEMD_CURE: Final = (
    "start it by the unit of `workers systemd`, or by `systemd-run --user --scope -p Delegate=yes workers …`"
)
_V2_CURE: Final = "boot with systemd.unified_cgroup_hierarchy=1, so that cgroup v2 has these controllers"
_SWEEP_SECONDS: Final = 2.0
_LOOK_AGAIN_SECONDS: Final = 0.01
_START_TIME: Final = 19  # the field of /proc/PID/stat behind the name, of which the first is the state
_DEAD: Final = (b"Z", b"X")
_ESCAPED: Final = re.compile(rb"\\([0-7]{3})")


class Groups(msgspec.Struct, frozen=True, kw_only=True):
    """What was delegated: the directory of the group, below `mount`, and those of the wanted controllers that it can hand down.

    `settled`: they are handed down, so that groups of runs can be made. `missing` says why there is none, `cure` how to get one.
    """

    root: str = ""
    mount: str = ""
    controllers: tuple[str, ...] = ()
    settled: bool = False
    missing: str = ""
    cure: str = ""


def look(proc: Path = Path("/proc")) -> Groups:
    """Find out what is, or could be, delegated to this process; changes nothing and never raises."""
    if sys.platform != "linux":
        return Groups(missing="control groups are Linux's", cure="run the daemon on Linux")
    try:
        return _look(proc)
    except OSError as error:
        return Groups(missing=f"the control groups cannot be read: {error}", cure=_SYSTEMD_CURE)


def settle() -> Groups:
    """Have controllers handed down to groups of runs, if a group was delegated, and end what a killed daemon left in such.

    Moves this process into `OWN`: before it has started others, which then are there too. Never raises.
    """
    groups = look()
    if groups.missing:
        return groups
    root = Path(groups.root)
    if not groups.settled:
        try:
            if not _is_top(root):
                (root / OWN).mkdir(exist_ok=True)
                write(root / OWN / "cgroup.procs", "0")
            write(root / "cgroup.subtree_control", " ".join(f"+{name}" for name in groups.controllers))
        except OSError as error:
            return Groups(missing=f"{root} hands down no controllers: {error}", cure=_SYSTEMD_CURE)
        groups = msgspec.structs.replace(groups, settled=True)
    _sweep(root)
    return groups


def _look(proc: Path) -> Groups:
    names = proc / "self/cgroup"
    lines = names.read_text().splitlines() if names.exists() else []
    own = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), None)
    mount, place = _place_of(own, proc) if own is not None else (Path(), None)
    if place is None:
        return Groups(missing="no cgroup v2 is mounted", cure=_V2_CURE)
    settled = place.name == OWN
    root = place.parent if settled else place
    offered = (
        (root / ("cgroup.subtree_control" if settled else "cgroup.controllers"))
        .read_text(encoding="utf-8")
        .split()
    )
    controllers = tuple(name for name in _WANTED if name in offered)
    if not controllers:
        in_v1 = any(name in line for line in lines for name in _WANTED)
        why = "which belong to cgroup v1 here" if in_v1 else "which nobody handed down"
        return Groups(
            missing=f"{root} has neither of the controllers memory and pids, {why}",
            cure=_V2_CURE if in_v1 else _SYSTEMD_CURE,
        )
    missing = _withheld(root) or ("" if settled or _is_top(root) else _crowded(root))
    if missing:
        return Groups(missing=missing, cure=_SYSTEMD_CURE)
    if _is_top(root):
        enabled = (root / "cgroup.subtree_control").read_text(encoding="utf-8").split()
        settled = all(name in enabled for name in controllers)
    return Groups(root=str(root), mount=str(mount), controllers=controllers, settled=settled)


def _place_of(own: str, proc: Path) -> tuple[Path, Path | None]:
    """Return where cgroup v2 is mounted so that it shows the group `own`, and the directory of that; None where it is not."""
    for line in (proc / "self/mountinfo").read_bytes().splitlines():
        before, _, after = line.partition(b" - ")
        if after.split(b" ", 1)[0] != b"cgroup2":
            continue
        top, point = (os.fsdecode(_ESCAPED.sub(_unescape, field)) for field in before.split(b" ")[3:5])
        if own == top or own.startswith(top.rstrip("/") + "/"):
            return Path(point), Path(point) / own.removeprefix(top).lstrip("/")
    return Path(), None


def _unescape(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 8)])


def _withheld(root: Path) -> str:
    """Say why this process may not make groups in `root`, even if it could."""
    for file in (root, root / "cgroup.procs", root / "cgroup.subtree_control"):
        if not os.access(file, os.W_OK):
            return f"{root} was not delegated to this user: {file.name} is not writable"
        if (
            file.stat().st_uid != os.getuid()
        ):  # root may write it, but not from a user namespace, where runs are
            return f"{root} was delegated to another user: {file.name} is not this one's"
    above_is_ours = os.getuid() == 0 or os.access(root.parent, os.W_OK)
    if root.name.endswith(_UNITS) and above_is_ours and not any(_marked(root, name) for name in _DELEGATION):
        return f"{root} is systemd's own, and was not delegated"
    return ""


def _marked(root: Path, name: str) -> bool:
    try:
        return os.getxattr(root, name) == b"1"
    except OSError:
        return False


def _crowded(root: Path) -> str:
    """Say which other processes keep `root` from handing controllers down."""
    others = [pid for pid in (root / "cgroup.procs").read_text().split() if int(pid) != os.getpid()]
    return f"{root} holds other processes too (process {others[0]})" if others else ""


def _is_top(root: Path) -> bool:
    """Tell whether this is the top of the machine's own hierarchy, which may hold processes and hand controllers down."""
    return not (root / "cgroup.events").exists()


def _sweep(root: Path) -> None:
    """End and remove the groups of runs whose daemon is gone; one that resists is left for the next time."""
    left = [path for path in root.glob(f"{_RUN}*") if not _owner_lives(path.name)]
    for path in left:
        kill(path)
    give_up_at = time.monotonic() + _SWEEP_SECONDS
    while left := [path for path in left if not remove(path)]:
        if time.monotonic() > give_up_at:
            return
        time.sleep(_LOOK_AGAIN_SECONDS)


def _owner_lives(name: str) -> bool:
    pid, _, rest = name.removeprefix(_RUN).partition("-")
    return not pid.isdecimal() or _started(int(pid)) == rest.partition("-")[0]


def name_of_run(key: str) -> str:
    """Return the name of a group of a run of this process; `key` tells it from the others."""
    return f"{_RUN}{os.getpid()}-{_started(os.getpid())}-{key}"


def _started(pid: int) -> str:
    """Return when a process began, in ticks since the system did; empty when there is none that lives."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in _DEAD else fields[_START_TIME].decode()


def kill(group: Path) -> None:
    """Kill every process of a group; nothing when it is gone."""
    with contextlib.suppress(FileNotFoundError):
        try:
            write(group / "cgroup.kill", "1")
        except FileNotFoundError:  # before Linux 5.14
            for pid in (group / "cgroup.procs").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)


def remove(group: Path) -> bool:
    """Remove a group; False while a process is in it. True when it was gone already."""
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def write(file: Path, text: str) -> None:
    """Write one value to a file of a group; raises `OSError`."""
    fd = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode("ascii"))
    finally:
        os.close(fd)
