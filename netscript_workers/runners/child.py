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
from collections.abc import Sequence

from netscript_workers.authoring.context import JobContext
from netscript_workers.authoring.handler import Handler
from netscript_workers.authoring.invoke import invoke_async, invoke_sync
from netscript_workers.authoring.text import traceback_text
from netscript_workers.domain.outcome import Cause, Outcome, failed
from netscript_workers.errors import SlotError
from netscript_workers.runners.confining import confine, refuse
from netscript_workers.runners.handlers import Handlers
from netscript_workers.runners.messages import (
    TO_SLOT,
    Done,
    FrameReader,
    Message,
    Run,
    Setup,
    frame,
)
from netscript_workers.runners.slot_context import SlotContext, SlotObserver
from netscript_workers.runners.slot_inbox import SlotInbox
from netscript_workers.runners.slot_loop import SlotLoop
from netscript_workers.runners.usage import UsageMeter, children_left


class Slot:
    """Serves runs from `connection` (a blocking stream socket, owned) until the daemon closes it, or one run when `once`.

    Runs that came `ahead`, one a datagram, are taken when the run before them has ended; till then the daemon can take them back.
    `loop` is the one made before the fork; without it async runs get one of asyncio's.
    """

    def __init__(
        self,
        connection: socket.socket,
        ahead: socket.socket | None = None,
        *,
        handlers: Handlers,
        once: bool,
        loop: SlotLoop | None = None,
    ) -> None:
        self._connection = connection
        self._inbox = SlotInbox(connection, ahead)
        self._handlers = handlers
        self._once = once
        self._children = 0
        self._serial = 0
        self._meter = UsageMeter(resets=not once)
        self._sending = threading.Lock()
        self._context: SlotContext | None = None
        self._task: asyncio.Task[Outcome] | None = None
        self._made_loop = loop
        self._loop: asyncio.AbstractEventLoop | None = None

    def serve(self) -> None:
        """Run what comes until the end; returns when the daemon has closed the socket, or after the one run."""
        inbox = self._inbox
        run = inbox.next_run(self._loop)
        while run is not None:
            if run.outputs:
                self._take_outputs()
            outcome = self._answer(run)
            inbox.ended(self._children)
            run = inbox.take_ahead()  # before the daemon can have said anything else
            self._send(Done(outcome, self._children, inbox.is_halted))
            if self._once:
                return
            run = run or inbox.next_run(self._loop)

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
        if self._inbox.holds_cancel(self._serial) or not self._inbox.is_open:
            self._stop_run()

    def _answer(self, run: Run) -> Outcome | None:
        """Run the handler; None when it ended because it was told to."""
        if run.serial == self._inbox.cancelled:
            return None
        execution = run.execution
        handler = self._handlers.get(execution.target)
        if handler is None:
            return self._handlers.missing(execution.target)
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
            return None
        return Outcome(
            kind=outcome.kind,
            cause=outcome.cause,
            error=outcome.error,
            result=outcome.result,
            retry=outcome.retry,
            usage=usage,
        )

    def _invoke(self, handler: Handler, context: JobContext) -> Outcome:
        if not handler.is_async:
            return invoke_sync(handler, context)
        loop = self._loop or self._make_loop()
        self._task = loop.create_task(invoke_async(handler, context))
        return loop.run_until_complete(self._task)

    def _make_loop(self) -> asyncio.AbstractEventLoop:
        """Make the loop that all async runs of this slot share, so that what they keep (connections, say) stays usable."""
        made = self._made_loop
        self._loop = loop = asyncio.new_event_loop() if made is None else made
        asyncio.set_event_loop(loop)
        if made is None:
            self._listen()
        else:
            made.on_finish = self._listen
        return loop

    def _listen(self) -> None:
        if self._loop is not None:
            self._loop.add_reader(self._connection, self._on_readable)

    def _on_readable(self) -> None:
        self.poll()
        if not self._inbox.is_open and self._loop is not None:
            self._loop.remove_reader(self._connection)
        self._inbox.arrive()

    def _stop_run(self) -> None:
        """Tell the run that it must end. A task is cancelled from the loop's own thread only."""
        if self._context is None or self._context.is_marked:
            return
        self._context.mark_cancelled()
        if self._task is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)

    def _take_outputs(self) -> None:
        """Write to new pipes from now on: the old ones are left to the processes that an earlier run left behind."""
        for fd, number in zip(self._inbox.take_descriptors(), (1, 2), strict=True):
            os.dup2(fd, number)
            os.close(fd)

    def _send(self, message: Message) -> None:
        try:
            data = frame(message)
        except SlotError as error:
            outcome = failed(f"the result cannot be sent to the daemon: {error}", retry=False)
            data = frame(Done(outcome, self._children, self._inbox.is_halted))
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
        if setup.confinement is not None:
            try:
                confine(setup.confinement)
            except OSError as error:
                refuse(sockets[0].detach(), error)
                os._exit(0)
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
