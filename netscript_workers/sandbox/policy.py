"""The policy: what a run is granted, what its runtime needs and what this host can do, made into rules. Pure."""

import os
import socket
from typing import Final

import msgspec

from netscript_workers.domain.target import Limits
from netscript_workers.sandbox import base, landlock, namespaces
from netscript_workers.sandbox.gaps import UNHIDDEN, Gap, counts_processes, gaps_in
from netscript_workers.sandbox.grants import Grants, outermost
from netscript_workers.sandbox.host import Host
from netscript_workers.sandbox.limits import resource_limits
from netscript_workers.sandbox.numbers import MACHINES
from netscript_workers.sandbox.rules import Bind, Rules, View
from netscript_workers.sandbox.seccomp import Calls, compiled

Granted = bool | tuple[str, ...]
_NETLINK: Final = 16
OWN_TMP_BYTES: Final = 256 * 1024 * 1024
_READ: Final = landlock.READ
_OWN_MOUNTS: Final = ("/tmp/", "/dev/")  # noqa: S108 - places in the run's view


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """What a runtime needs to start its program, whatever it is granted: files it reads, files it executes, and where it begins.

    `links` are (place, target) on the way to them. `hidden` are never shown, whatever is granted (the queue's own file).
    """

    readable: tuple[str, ...] = ()
    executable: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    cwd: str = "/"
    hidden: tuple[str, ...] = ()
    reserves_memory: bool = False


class Plan(msgspec.Struct, frozen=True):
    """Rules, and what they leave open."""

    rules: Rules | None
    gaps: tuple[Gap, ...]


def plan(grants: Grants, limits: Limits, needs: Needs, host: Host) -> Plan:
    """Decide how a run is held. Without any way to hold it, `rules` is None and the gaps say so."""
    gaps = tuple(gaps_in(grants, limits, host))
    if not host.has_rooms and any(covers_read(grants, needs, path, has_view=False) for path in needs.hidden):
        gaps = (*gaps, UNHIDDEN)
    if not host.has_filter:
        return Plan(None, gaps)
    if host.has_rooms:
        return Plan(_in_rooms(grants, limits, needs, host), gaps)
    return Plan(_on_the_host(grants, limits, needs, host), gaps)


def _in_rooms(grants: Grants, limits: Limits, needs: Needs, host: Host) -> Rules:
    rooms = namespaces.NEW_FILES | namespaces.NEW_IPC | namespaces.NEW_PIDS
    rooms |= namespaces.NEW_USER if host.user_rooms else 0
    rooms |= 0 if grants.net is True else namespaces.NEW_NETWORK
    own_tmp = not (grants.write is True or _covers(_granted(grants.write), "/tmp"))  # noqa: S108 - the place itself
    return Rules(
        rooms=rooms,
        view=_view(grants, needs, own_tmp=own_tmp, by_landlock=host.landlock > 0),
        landlock=host.landlock,
        files=_landlock_rules(grants, needs, host.landlock, own_tmp=own_tmp, has_view=True)
        if host.landlock
        else (),
        denies_tcp=not grants.net,
        filter=_filter(grants, host, local_sockets=_has_local_sockets(grants)),
        may_exec=bool(grants.run),
        limits=resource_limits(
            limits, reserves_memory=needs.reserves_memory, counts_processes=counts_processes(host)
        ),
    )


def _on_the_host(grants: Grants, limits: Limits, needs: Needs, host: Host) -> Rules:
    """Hold a run without rooms: Landlock for the files, the filter for the rest, local sockets among it."""
    return Rules(
        landlock=host.landlock,
        files=_landlock_rules(grants, needs, host.landlock, own_tmp=False, has_view=False)
        if host.landlock
        else (),
        denies_tcp=not grants.net,
        filter=_filter(grants, host, local_sockets=grants.write is True),
        may_exec=bool(grants.run),
        limits=resource_limits(limits, reserves_memory=needs.reserves_memory, counts_processes=False),
    )


def _has_local_sockets(grants: Grants) -> bool:
    """Tell whether a run with a view may make local sockets.

    A socket that can be seen can be connected to, however it is shown: read-only mounts do not count, and neither does
    Landlock. So a directory that may be read and not be written closes all of them: there may be one of Docker's in it.
    """
    if grants.write is True:
        return True
    if not (grants.write or grants.net is True) or grants.read is True:
        return False
    writable = _granted(grants.write)
    return all(_covers(writable, path) or os.path.isfile(path) for path in _granted(grants.read))


def _filter(grants: Grants, host: Host, *, local_sockets: bool) -> bytes:
    families: list[int] = [socket.AF_UNIX] if local_sockets else []
    if grants.net:
        families += [socket.AF_INET, socket.AF_INET6]
    if grants.net is True:
        families.append(_NETLINK)  # how the C library asks for the machine's own addresses
    return compiled(
        Calls(
            families=tuple(families),
            raw=grants.net is True,
            may_exec=bool(grants.run),
            has_view=host.has_rooms,
            has_ipc=host.has_rooms,
            has_processes=host.has_rooms,
            memfd=not isinstance(grants.run, tuple) or not grants.run,
            metadata=grants.write is True,
            watches=grants.read is True or grants.write is True,
        ),
        MACHINES[host.machine],
    )


def _view(grants: Grants, needs: Needs, *, own_tmp: bool, by_landlock: bool) -> View:
    whole = grants.read is True or grants.write is True or _covers(_granted(grants.read), "/")
    loads = grants.run is True
    binds: dict[str, Bind] = {}
    system = base.shown(every_program=not isinstance(grants.run, tuple), kept_by_landlock=by_landlock)
    needed = (*needs.readable, *needs.executable)
    for path in (*system, *needed, *_granted(grants.read), *_granted(grants.run)):
        # The whole of the host shows all of this already, but for what the run's own mounts cover.
        if not whole or path.startswith(_OWN_MOUNTS):
            binds[path] = Bind(os.fsencode(path), device=path.startswith("/dev/"))
    for path in _granted(grants.write):
        binds[path] = Bind(
            os.fsencode(path), writable=True, executable=loads, device=path.startswith("/dev/")
        )
    return View(
        whole=whole,
        whole_writable=grants.write is True,
        binds=_without_repeats(binds),
        links=tuple(
            (os.fsencode(place), os.fsencode(target))
            for place, target in (*base.links(), *needs.links, *grants.links)
        ),
        directories=(os.fsencode(needs.cwd),),
        hidden=tuple(os.fsencode(path) for path in needs.hidden),
        own_tmp=OWN_TMP_BYTES if own_tmp else 0,
        tmp_executable=loads,
    )


def _without_repeats(binds: dict[str, Bind]) -> tuple[Bind, ...]:
    """Return `binds`, parents first, less those that a parent shows already in the same way."""
    kept: dict[str, Bind] = {}
    for path in outermost(binds):
        bind = binds[path]
        nearest = max((each for each in kept if _covers((each,), path)), key=len, default=None)
        if (
            nearest is None
            or path.startswith(_OWN_MOUNTS)
            or msgspec.structs.replace(kept[nearest], path=bind.path) != bind
        ):
            kept[path] = bind
    return tuple(kept.values())


def _landlock_rules(
    grants: Grants, needs: Needs, abi: int, *, own_tmp: bool, has_view: bool
) -> tuple[tuple[bytes, int], ...]:
    rights: dict[str, int] = {}

    def give(paths: tuple[str, ...], right: int) -> None:
        for path in paths:
            rights[path] = rights.get(path, 0) | right

    every_program = not isinstance(grants.run, tuple)
    runs = landlock.EXECUTE if grants.run is True else 0
    write = landlock.write_rights(abi)
    give(base.readable(every_program=every_program), _READ | runs)
    give(needs.readable, _READ | runs)
    give((*needs.executable, *base.LOADERS), _READ | landlock.EXECUTE)
    give(base.DEVICES, (_READ | write) & ~landlock.EXECUTE)
    if has_view:
        give(("/",), landlock.READ_DIR)  # what is not granted is not there to be listed
        give(("/proc",), _READ)
        give(("/dev/shm",), _READ | write)  # noqa: S108 - the run's own
    else:
        give(base.PROC_FILES, _READ)
    if own_tmp:
        give(("/tmp",), _READ | write | runs)  # noqa: S108 - the run's own
    give(_granted(grants.read) if grants.read is not True else ("/",), _READ | runs)
    give(_granted(grants.write) if grants.write is not True else ("/",), _READ | write | runs)
    give(_granted(grants.run), _READ | landlock.EXECUTE)
    return tuple((os.fsencode(path), right) for path, right in rights.items())


def _granted(grant: Granted) -> tuple[str, ...]:
    return grant if isinstance(grant, tuple) else ()


def _covers(paths: tuple[str, ...], path: str) -> bool:
    return any(path == each or path.startswith(each.rstrip("/") + "/") for each in paths)


def covers_read(grants: Grants, needs: Needs, path: str, *, has_view: bool) -> bool:
    """Tell whether a run may read `path`, as far as permissions decide that."""
    if grants.read is True or grants.write is True:
        return True
    programs = base.readable(every_program=not isinstance(grants.run, tuple))
    granted = (*_granted(grants.read), *_granted(grants.write), *_granted(grants.run))
    own = _own(has_view=has_view)
    return _covers((*own, *programs, *needs.readable, *needs.executable, *granted), os.path.realpath(path))


def covers_write(grants: Grants, path: str, *, has_view: bool) -> bool:
    """Tell whether a run may write `path`."""
    return grants.write is True or _covers(
        (*_granted(grants.write), *_own(has_view=has_view)), os.path.realpath(path)
    )


def _own(*, has_view: bool) -> tuple[str, ...]:
    return (
        ("/proc", "/dev") if has_view else base.DEVICES
    )  # what is in the host's /tmp is not in the run's own
