"""A slot as the daemon sees it: its socket, its output, and the run it is busy with."""

import asyncio
import os
import socket
import time
from collections.abc import Callable
from typing import Final

from netscript_workers.domain.execution import Execution
from netscript_workers.domain.outcome import Cause, Outcome, Usage, crashed, failed
from netscript_workers.errors import SlotError
from netscript_workers.ports.observer import RunObserver
from netscript_workers.processes.ending import ending_in_words
from netscript_workers.runners.messages import (
    FROM_SLOT,
    Cancel,
    Done,
    Exited,
    FrameReader,
    Logged,
    Message,
    Progressed,
    Run,
    frame,
)
from netscript_workers.runners.slot_output import SlotOutputs

_CHUNK: Final = 65_536
_LARGE_CHUNK: Final = 1_048_576
_EXIT_SECONDS: Final = 0.5
_KILLED: Final = -9


class SlotProcess:
    """One slot process; runs one attempt at a time. Made by the link to its zygote, which reports its end to `on_exited`.

    Owns `connection` (non-blocking) and the two output descriptors until the process has ended. `pid` is 0
    until it has started.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: socket.socket,
        outputs: tuple[int, int],
        end: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._connection = connection
        self._outputs = SlotOutputs(loop, *outputs)
        self._end = end
        self._reader = FrameReader(FROM_SLOT)
        self._unsent = memoryview(b"")
        self._ended: asyncio.Future[Outcome | None] | None = None
        self._observer: RunObserver | None = None
        self._why_killed: str | None = None
        self._closed: asyncio.TimerHandle | None = None
        self.pid = 0
        self.children = 0
        self.runs = 0
        self.execution: Execution | None = None
        self.started_at = 0.0
        self.alive = True
        self.gone: asyncio.Future[None] = loop.create_future()
        loop.add_reader(connection, self._on_readable)

    def begin(
        self, execution: Execution, max_attempts: int, deadline: int, observer: RunObserver
    ) -> asyncio.Future[Outcome | None]:
        """Start a run on this idle slot; the future tells its outcome (None: it ended by `cancel_run`) and never raises."""
        self.execution = execution
        self.started_at = time.monotonic()
        self.runs += 1
        self._observer = observer
        self._ended = ended = self._loop.create_future()
        if self.alive:
            if self.children:
                self._begin_with_new_outputs(execution, max_attempts, deadline, observer)
            else:
                self._outputs.begin_run(observer)
                self._write(frame(Run(execution, max_attempts, deadline)))
        else:
            self._finish(crashed("the slot's process ended before the run began", None))
        return ended

    def cancel_run(self) -> asyncio.Future[Outcome | None]:
        """Tell the run to end; returns a new future in place of the one of `begin`."""
        self._ended = ended = self._loop.create_future()
        if self.execution is None:
            ended.set_result(None)
        else:
            self.send(Cancel())
        return ended

    def send(self, message: Message) -> None:
        """Send a message, now or as soon as the slot takes it."""
        self._write(frame(message))

    def kill(self, why: str | None = None) -> None:
        """End the process with all its descendants; `gone` tells when that is done. `why` becomes the run's error."""
        if self.alive:
            self._why_killed = self._why_killed or why
            self._end()

    def on_exited(self, exited: Exited) -> None:
        """Take in that the process and its descendants are gone; ends the run under way as crashed."""
        if not self.alive:
            return
        self._read_rest()
        self.alive = False
        if self.execution is not None:
            self._outputs.finish_run()
            self._finish(self._crash(exited))
        self.close()

    def close(self) -> None:
        """Let go of the socket and the pipes. Idempotent."""
        self.alive = False
        if self._closed is not None:
            self._closed.cancel()
            self._closed = None
        if self._connection.fileno() >= 0:
            self._loop.remove_reader(self._connection)
            self._loop.remove_writer(self._connection)
            self._connection.close()
        self._outputs.close()
        if not self.gone.done():
            self.gone.set_result(None)

    def _begin_with_new_outputs(
        self, execution: Execution, max_attempts: int, deadline: int, observer: RunObserver
    ) -> None:
        """Part this run's output from that of processes which an earlier run left behind: they keep the old pipes."""
        read_out, write_out = os.pipe()
        read_err, write_err = os.pipe()
        self._outputs.replace(read_out, read_err)
        self._outputs.begin_run(observer)
        try:
            data = frame(Run(execution, max_attempts, deadline, outputs=True))
            sent = socket.send_fds(self._connection, [data], [write_out, write_err])
            self._write(data[sent:])
        except OSError as error:
            self.kill(f"the slot's process could not be given new pipes: {error}")
        finally:
            os.close(write_out)
            os.close(write_err)

    def _on_readable(self) -> None:
        if self._read() is False and self._connection.fileno() >= 0:
            self._loop.remove_reader(self._connection)
            # Nearly always because it has ended, which the zygote will report; if not, it is of no use any more.
            self._closed = self._loop.call_later(
                _EXIT_SECONDS,
                self.kill,
                "the slot's process closed its connection to the daemon and was ended",
            )

    def _read(self) -> bool | None:
        """Read once; None when there is nothing now, False when there never will be."""
        size = _LARGE_CHUNK if self._reader.missing > _CHUNK else _CHUNK
        try:
            data = self._connection.recv(size)
        except BlockingIOError:
            return None
        except OSError:
            return False
        if not data:
            return False
        try:
            messages = self._reader.feed(data)
        except SlotError as error:
            self.kill(f"the slot's process broke the protocol: {error}")
            return True
        for message in messages:
            self._take(message)
        return True

    def _read_rest(self) -> None:
        """Read what the process wrote before its end: its `Done` may still be there."""
        while self._read():
            pass

    def _take(self, message: Progressed | Logged | Done) -> None:
        if isinstance(message, Done):
            self.children = message.children
            if self.execution is not None:
                self._outputs.finish_run()
                self._finish(message.outcome)
        elif self._observer is not None:
            if isinstance(message, Progressed):
                self._observer.progress(message.progress)
            else:
                self._observer.lines(message.lines)

    def _finish(self, outcome: Outcome | None) -> None:
        ended = self._ended
        self._ended = self._observer = self.execution = None
        if ended is not None and not ended.done():
            ended.set_result(outcome)

    def _crash(self, exited: Exited) -> Outcome:
        if exited.error is not None:
            return crashed(exited.error, None)
        usage = Usage(exited.max_rss or None, exited.cpu_ms)
        if self._why_killed is not None:
            return crashed(self._why_killed, exited.status, usage)
        words = f"the slot's process {ending_in_words(exited.status)} before the handler returned"
        if exited.status == _KILLED:
            words += ": somebody ended it from outside, or the kernel did for want of memory (its log, `dmesg`, says so)"
        return crashed(words, exited.status, usage)

    def _write(self, data: bytes) -> None:
        if self._unsent:
            self._unsent = memoryview(bytes(self._unsent) + data)
            return
        try:
            sent = self._connection.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # the process is ending: its exit is reported by the zygote
        if sent < len(data):
            self._unsent = memoryview(data)[sent:]
            self._loop.add_writer(self._connection, self._on_writable)

    def _on_writable(self) -> None:
        try:
            sent = self._connection.send(self._unsent)
        except BlockingIOError:
            return
        except OSError:
            sent = len(self._unsent)  # as above
        self._unsent = self._unsent[sent:]
        if not self._unsent:
            self._loop.remove_writer(self._connection)


def stopped_by_itself() -> Outcome:
    """Return the outcome of an async handler that cancelled its own task."""
    return failed("the handler cancelled its own task", Cause.EXCEPTION)
