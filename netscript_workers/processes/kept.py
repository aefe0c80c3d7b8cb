"""Programs as the daemon sees them: a keeper's connection, and the one program that it keeps."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable

from netscript_workers.domain.command import CommandSpec
from netscript_workers.errors import SlotError
from netscript_workers.processes.loop_frames import LoopFrames, close_all
from netscript_workers.processes.spawn_messages import (
    FROM_KEEPER,
    Exited,
    FromKeeper,
    Kill,
    Refused,
    Signal,
    Started,
    order_for,
)
from netscript_workers.processes.standard_input import standard_input


class Child:
    """A program that was started, or could not be.

    `stdout` and `stderr` are the reading ends of its pipes, non-blocking and the taker's to close. `pid` is 0 until there is a
    process. `ended` tells that it and all its descendants are gone, and never raises; None: its keeper was killed, and it too.
    """

    __slots__ = ("_keeper", "_serial", "ended", "pid", "refused", "stderr", "stdout")

    def __init__(self, keeper: "KeptProgram", serial: int, stdout: int, stderr: int) -> None:
        self._keeper = keeper
        self._serial = serial
        self.stdout = stdout
        self.stderr = stderr
        self.pid = 0
        self.refused: Refused | None = None
        self.ended: asyncio.Future[Exited | None] = asyncio.get_running_loop().create_future()

    def signal(self, number: int) -> None:
        """Send a signal to its process group; nothing when it has ended."""
        self._keeper.frames.send(Signal(self._serial, number))

    def kill(self) -> None:
        """End it with all its descendants; `ended` tells when that is done."""
        self._keeper.frames.send(Kill(self._serial))


class KeptProgram:
    """The connection to one keeper (`connection`, owned), and the program it has now.

    `idle` is called when it can be given another one, `lost` when it is gone.
    """

    def __init__(
        self,
        connection: socket.socket,
        idle: Callable[["KeptProgram"], None],
        lost: Callable[["KeptProgram"], None],
    ) -> None:
        self.frames = LoopFrames(connection, FROM_KEEPER, self._take, self._on_lost)
        self._idle = idle
        self._lost = lost
        self._serial = 0
        self.child: Child | None = None
        self.kind = (
            ""  # of the last confined program: for the next one of that kind, something may be ready here
        )

    def spawn(self, spec: CommandSpec) -> Child:
        """Have this idle keeper start a program; raises `SlotError` when no descriptor is left."""
        self._serial += 1
        order = order_for(self._serial, spec)
        with contextlib.ExitStack() as undo:
            try:
                stdin = standard_input(spec.stdin)
                undo.callback(os.close, stdin)
                out = os.pipe()
                undo.callback(close_all, out)
                err = os.pipe()
                undo.callback(close_all, err)
            except OSError as error:
                raise SlotError(
                    f"no program can be started: {error}. Each takes 6 descriptors of the daemon; raise its limit "
                    "(ulimit -n, LimitNOFILE) or lower the concurrency."
                ) from error
            undo.pop_all()
        os.set_blocking(out[0], False)
        os.set_blocking(err[0], False)
        try:
            self.frames.send(order, (stdin, out[1], err[1]))
        except SlotError:
            close_all((out[0], err[0]))
            raise
        if spec.confinement is not None:
            self.kind = spec.confinement.kind
        self.child = child = Child(self, self._serial, out[0], err[0])
        return child

    def close(self) -> None:
        """Let the keeper end, with its program."""
        self.frames.close()
        self._abandon()

    def _take(self, message: FromKeeper) -> None:
        child = self.child
        if child is None or message.serial != self._serial:
            return
        if isinstance(message, Started):
            child.pid = message.pid
        elif isinstance(message, Refused):
            child.refused = message
        else:
            self.child = None
            if message.survivors:
                self.frames.close()
                self._lost(self)
            else:
                self._idle(self)
            child.ended.set_result(message)

    def _on_lost(self) -> None:
        self._lost(self)
        self._abandon()

    def _abandon(self) -> None:
        child, self.child = self.child, None
        if child is not None and not child.ended.done():
            child.ended.set_result(None)
