"""Rooms made ahead: while one confined program works, the processes and rooms of the next one are made.

They hold nothing of any run. What is only known with the order (files, filter, limits, the program) follows with it.
"""

import contextlib
import os
import socket
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

import msgspec

from netscript_workers.processes.prctl import ProcessControl
from netscript_workers.processes.spawn import NOT_STARTED, part_from, refusal
from netscript_workers.processes.spawn_messages import Refused, Spawn
from netscript_workers.sandbox import enter, namespaces
from netscript_workers.sandbox.kernel import Kernel
from netscript_workers.sandbox.rules import decoded, head_of
from netscript_workers.sandbox.watching import Watch

_MAX_BYTES: Final = 128 * 1024  # of one message; more may not fit into a socket at once
_FDS: Final = 3


class _Order(msgspec.Struct, frozen=True, array_like=True):
    serial: int
    cwd: bytes
    rules: bytes


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Order).decode


class Rooms:
    """Rooms of one kind that wait for their program (see `processes/spawn.py`)."""

    def __init__(self, rooms: int, pid: int, connection: socket.socket) -> None:
        self.pid = pid
        self._rooms = rooms
        self._connection = connection

    def take(self, order: Spawn, fds: Sequence[int]) -> bool:
        """Start a program in these rooms, unless it needs other ones."""
        if order.confinement is None:
            return False
        head = head_of(order.confinement.rules)
        data = _encode(_Order(order.serial, order.cwd, order.confinement.rules))
        if not head.has_program or head.rooms != self._rooms or len(data) > _MAX_BYTES:
            return False
        try:
            socket.send_fds(self._connection, [data], fds)
        except OSError:
            return False  # it has been killed, or the system has no room for the message
        self._connection.close()
        return True

    def close(self) -> None:
        """Have the rooms end unused. Idempotent."""
        self._connection.close()


def make_ahead(rules: bytes, tell: Callable[[Refused], None]) -> Rooms | None:
    """Make rooms like those that `rules` ask for; None when they ask for none, or there can be none now."""
    asked = head_of(rules)
    if not asked.rooms or not asked.has_program:
        return None
    try:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except OSError:
        return None
    parent = os.getpid()
    try:
        pid = os.fork()
    except OSError:
        ours.close()
        theirs.close()
        return None
    if pid == 0:
        ours.close()
        _stand_by(asked.rooms, theirs, parent, tell)
    theirs.close()
    return Rooms(asked.rooms, pid, ours)


def _stand_by(rooms: int, orders: socket.socket, parent: int, tell: Callable[[Refused], None]) -> NoReturn:
    """Be the watcher of rooms that are still empty."""
    try:
        process = enter.this_process()
        part_from(parent, process)
        kernel = enter.this_kernel()
        namespaces.open_rooms(kernel, rooms)
        process.die_with_parent()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            ours.close()
            orders.close()
            _wait_inside(kernel, process, theirs, tell)
        theirs.close()
        enter.keep_only([orders.fileno(), ours.fileno()])
        data, fds, _, _ = socket.recv_fds(orders, _MAX_BYTES, _FDS)
        if not data:
            os._exit(0)  # nothing came, and the rooms end with this process
        orders.close()
        rules = _decode(data).rules
        head = head_of(rules)
        connection = enter.offer_to_proxy(head.proxy, head.token) if head.proxy else None
        socket.send_fds(ours, [data], fds)
        os.dup2(fds[2], 2)
        for fd in fds:
            os.close(fd)
        with contextlib.nullcontext(connection):
            Watch(pid, ours, kernel, goes_on=False, has_rooms=True).serve()
    except BaseException as error:  # noqa: BLE001 - it must be seen, and must not reach the keeper's code
        os.write(2, f"netscript-workers: a confined run was not started: {error!r}\n".encode())
    finally:
        os._exit(NOT_STARTED)


def _wait_inside(
    kernel: Kernel, process: ProcessControl, channel: socket.socket, tell: Callable[[Refused], None]
) -> NoReturn:
    """Be the first process of the rooms, and go on when the order has come."""
    serial = 0
    try:
        process.die_with_parent()
        data, fds, _, _ = socket.recv_fds(channel, _MAX_BYTES, _FDS)
        if not data:
            os._exit(0)
        order = _decode(data)
        serial = order.serial
        for place, fd in enumerate(fds):
            os.dup2(fd, place)
            os.close(fd)
        os.chdir(order.cwd)
        enter.go_on(kernel, process, decoded(order.rules), channel, order.cwd)
    except BaseException as error:  # noqa: BLE001 - as above
        tell(refusal(serial, "confinement", error))
    finally:
        os._exit(NOT_STARTED)
