"""The main of a slot's process: takes runs off its socket, one at a time, and answers each.

Everything runs on the main thread, handlers included, and no second thread is ever started here, so that a
handler may fork. A plain function learns of a cancellation when it asks `ctx.cancelled` (which looks at the
socket), an async one has its task cancelled. What does neither is killed from outside.

Run as a program (`python -m netscript_workers.runners.child warm|once FD [AHEAD]`) it serves where forking is unsafe:
the first message on the socket FD is then the `Setup`, and handlers are imported when first needed.
"""

import asyncio
import contextlib
import os
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Any, Final

from netscript_workers.authoring.context import JobContext
from netscript_workers.authoring.handler import Handler
from netscript_workers.authoring.invoke import invoke_async, invoke_sync
from netscript_workers.authoring.text import traceback_text
from netscript_workers.domain.outcome import Cause, Outcome, failed
from netscript_workers.errors import SlotError
from netscript_workers.runners.ahead import MAX_AHEAD_BYTES, is_unread
from netscript_workers.runners.handlers import Handlers
from netscript_workers.runners.messages import (
    TO_SLOT,
    Cancel,
    Done,
    FrameReader,
    Message,
    Run,
    Setup,
    ToSlot,
    frame,
)
from netscript_workers.runners.slot_context import SlotContext, SlotObserver
from netscript_workers.runners.usage import UsageMeter, children_left

_CHUNK: Final = 65_536
_LARGE_CHUNK: Final = 1_048_576
_OUTPUTS: Final = 2


class Slot:
    """Serves runs from `connection` (a blocking stream socket, owned) until the daemon closes it, or one run when `once`.

    Runs that came `ahead`, one a datagram, are taken when the run before them has ended; till then the daemon can take them back.
    """

    def __init__(
        self,
        connection: socket.socket,
        ahead: socket.socket | None = None,
        *,
        handlers: Handlers,
        once: bool,
    ) -> None:
        self._connection = connection
        self._ahead = ahead
        self._handlers = handlers
        self._once = once
        self._reader = FrameReader(TO_SLOT)
        self._ahead_reader = FrameReader(TO_SLOT)  # each datagram holds one whole frame
        self._inbox: deque[ToSlot] = deque()
        self._open = True
        self._fds: list[int] = []
        self._children = 0
        self._serial = 0
        self._meter = UsageMeter(resets=not once)
        self._sending = threading.Lock()
        self._context: SlotContext | None = None
        self._task: asyncio.Task[Outcome] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._arrival: asyncio.Future[None] | None = None

    def serve(self) -> None:
        """Run what comes until the end; returns when the daemon has closed the socket, or after the one run."""
        run = self._next_run()
        while run is not None:
            if run.outputs:
                self._take_outputs()
            done = self._answer(run)
            run = self._take_ahead()
            self._send(done if run is None else Done(done.outcome, done.children, took=True))
            if self._once:
                return
            run = run or self._next_run()

    def close(self) -> None:
        """Close the socket and the loop; a slot's process need not, since it ends."""
        if self._loop is not None:
            self._loop.close()
        self._connection.close()

    def send(self, message: Message) -> None:
        """Send a report of the run; from any thread. What cannot be sent any more is lost together with the daemon."""
        with contextlib.suppress(OSError):
            self._send(message)

    def poll(self) -> None:
        """Look for a `Cancel` without waiting; from any thread, while a run is under way."""
        with contextlib.suppress(BlockingIOError):
            self._receive(socket.MSG_DONTWAIT)
        while self._inbox and isinstance(message := self._inbox[0], Cancel):
            self._inbox.popleft()
            if message.serial == self._serial:
                self._stop_run()
        if not self._open:
            self._stop_run()

    def _answer(self, run: Run) -> Done:
        execution = run.execution
        handler = self._handlers.get(execution.target)
        if handler is None:
            return Done(self._handlers.missing(execution.target))
        observer = SlotObserver(self)
        deadline = run.deadline or time.time_ns() // 1_000_000 + run.timeout
        context = SlotContext(execution, run.max_attempts, deadline, observer, self)
        self._serial = run.serial
        self._meter.begin()
        self._context = context
        try:
            outcome = self._invoke(handler, context)
        except asyncio.CancelledError:
            outcome = None
        except BaseException as error:  # noqa: BLE001 - something of the handler's broke out of the event loop
            outcome = failed(traceback_text(error), Cause.EXCEPTION)
        finally:
            self._context = None
            self._task = None
        _flush_outputs()
        self._children = children_left()
        usage = self._meter.end()
        if outcome is None:
            return Done(None, self._children)
        return Done(
            Outcome(
                kind=outcome.kind,
                cause=outcome.cause,
                error=outcome.error,
                result=outcome.result,
                retry=outcome.retry,
                usage=usage,
            ),
            self._children,
        )

    def _invoke(self, handler: Handler, context: JobContext) -> Outcome:
        if not handler.is_async:
            return invoke_sync(handler, context)
        loop = self._loop or self._make_loop()
        self._task = loop.create_task(invoke_async(handler, context))
        return loop.run_until_complete(self._task)

    def _make_loop(self) -> asyncio.AbstractEventLoop:
        """Make the loop that all async runs of this slot share, so that what they keep (connections, say) stays usable."""
        self._loop = loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        loop.add_reader(self._connection, self._on_readable)
        return loop

    def _on_readable(self) -> None:
        self.poll()
        if not self._open and self._loop is not None:
            self._loop.remove_reader(self._connection)
        if self._arrival is not None and not self._arrival.done() and (self._inbox or not self._open):
            self._arrival.set_result(None)

    def _stop_run(self) -> None:
        """Tell the run that it must end. A task is cancelled from the loop's own thread only."""
        if self._context is None or self._context.is_marked:
            return
        self._context.mark_cancelled()
        if self._task is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)

    def _next_run(self) -> Run | None:
        while True:
            while self._inbox:
                message = self._inbox.popleft()
                if isinstance(message, Run):
                    return message  # a Cancel here came too late for its run, which has been answered
            if not self._open:
                return None
            if self._loop is not None and asyncio.all_tasks(self._loop):
                self._loop.run_until_complete(self._wait_in_loop(self._loop))
            else:
                self._receive(0)

    def _take_ahead(self) -> Run | None:
        """Take the next run that waits in this slot's hands.

        Not while processes are left behind or output of the last run is unread: the daemon could not tell whose it is.
        """
        if self._ahead is None or self._children or is_unread(1) or is_unread(2):
            return None
        try:
            data = self._ahead.recv(MAX_AHEAD_BYTES, socket.MSG_DONTWAIT)
        except (BlockingIOError, ConnectionResetError):
            return None
        messages = (
            self._ahead_reader.feed(data) if data else []
        )  # no data: the daemon is gone, as the other socket will tell
        return messages[0] if messages and isinstance(messages[0], Run) else None

    def _wait_in_loop(self, loop: asyncio.AbstractEventLoop) -> Coroutine[Any, Any, None]:
        """Wait for the next message while what earlier runs left on the loop goes on."""

        async def wait() -> None:
            self._arrival = loop.create_future()
            await self._arrival

        return wait()

    def _receive(self, flags: int) -> None:
        """Read once from the socket, with the descriptors that may come along when the last run left processes behind."""
        size = _LARGE_CHUNK if self._reader.missing > _CHUNK else _CHUNK
        try:
            if self._children:
                data, fds, _, _ = socket.recv_fds(self._connection, size, _OUTPUTS, flags)
                self._fds += fds
            else:
                data = self._connection.recv(size, flags)
        except ConnectionResetError:
            data = b""
        if not data:
            self._open = False
            return
        self._inbox.extend(self._reader.feed(data))

    def _take_outputs(self) -> None:
        """Write to new pipes from now on: the old ones are left to the processes that an earlier run left behind."""
        for fd, number in zip(self._fds, (1, 2), strict=True):
            os.dup2(fd, number)
            os.close(fd)
        self._fds = []

    def _send(self, message: Message) -> None:
        try:
            data = frame(message)
        except SlotError as error:
            data = frame(
                Done(failed(f"the result cannot be sent to the daemon: {error}", retry=False), self._children)
            )
        with self._sending:
            self._connection.sendall(data)


def _flush_outputs() -> None:
    for name in ("stdout", "stderr"):
        try:
            getattr(sys, name).flush()
        except Exception as error:  # noqa: BLE001 - the handler may have closed it or put anything in its place
            with contextlib.suppress(OSError):
                os.write(2, f"sys.{name} cannot be flushed after the run: {error!r}\n".encode())


def make_outputs_live() -> None:
    """Have stdout and stderr write each line at once, as UTF-8, whatever the locale."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)


def main(argv: Sequence[str]) -> None:
    """Serve on the sockets whose descriptors follow the first argument; never returns."""
    sockets = [socket.socket(fileno=int(fd)) for fd in argv[1:]]
    for each in sockets:
        each.set_inheritable(False)
    make_outputs_live()
    setup = _read_setup(sockets[0])
    if setup is not None:
        Slot(*sockets, handlers=Handlers(setup.handlers, setup.root), once=argv[0] == "once").serve()
    os._exit(0)


def _read_setup(connection: socket.socket) -> Setup | None:
    """Read the first message, byte by byte so that nothing behind it is taken; None when the daemon is gone."""
    reader = FrameReader(TO_SLOT)
    while data := connection.recv(max(1, reader.missing)):
        for message in reader.feed(data):
            return message if isinstance(message, Setup) else None
    return None


if __name__ == "__main__":
    main(sys.argv[1:])
