"""A slot as the daemon sees it: its socket, its output, the run it is busy with, and those that wait in its hands."""

import asyncio
import os
import socket
import time
from collections.abc import Callable
from itertools import count
from typing import Final

from msgspec import structs

from netscript_workers.domain.execution import Execution
from netscript_workers.domain.outcome import Outcome, Usage, crashed
from netscript_workers.domain.target import Target
from netscript_workers.errors import SlotError
from netscript_workers.ports.observer import RunObserver
from netscript_workers.processes.ending import ending_in_words
from netscript_workers.runners.ahead import Ahead, NotBegunError, Waiting
from netscript_workers.runners.messages import (
    Cancel,
    Done,
    Exited,
    Logged,
    Message,
    Progressed,
    Run,
    frame,
)
from netscript_workers.runners.slot_connection import SlotConnection
from netscript_workers.runners.slot_output import SlotOutputs

_EXIT_SECONDS: Final = 0.5
_READS: Final = 256  # a slot that never stops reporting must not hold up the loop
_KILLED: Final = -9


class SlotProcess:
    """One slot process; runs one attempt at a time. Made by the link to its zygote, which reports its end to `on_exited`.

    Owns `connection` (non-blocking), the two output descriptors and `ahead` until the process has ended. `pid` is 0 until it has
    started.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: socket.socket,
        outputs: tuple[int, int],
        end: Callable[[], None],
        ahead: Ahead | None = None,
    ) -> None:
        self._loop = loop
        self._connection = SlotConnection(loop, connection, self._on_readable)
        self._outputs = SlotOutputs(loop, *outputs, self._take_in)
        self._ahead = ahead
        self._end = end
        self._ended: asyncio.Future[Outcome | None] | None = None
        self._to_cancel: asyncio.Future[Outcome | None] | None = None  # a run that is about to begin
        self._ended_last: asyncio.Future[Outcome | None] | None = None
        self._observer: RunObserver | None = None
        self._why_killed: str | None = None
        self._closed: asyncio.TimerHandle | None = None
        self._serials = count(1)
        self._serial = 0
        self.pid = 0
        self.children = 0
        self.runs = 0
        self.execution: Execution | None = None
        self.started_at = 0.0
        self.alive = True
        self.retired = False  # of the code before a reload: it ends with what it runs
        self.gone: asyncio.Future[None] = loop.create_future()

    def is_idle_after(self, ended: "asyncio.Future[Outcome | None]") -> bool:
        """Tell whether the run of `ended` was the last one and nothing has begun since: then it is for its caller to let go."""
        return self.execution is None and self._ended_last is ended

    @property
    def waiting(self) -> int:
        """How many runs wait in its hands."""
        return len(self._ahead) if self._ahead is not None else 0

    def begin(
        self, execution: Execution, max_attempts: int, deadline: int, observer: RunObserver
    ) -> asyncio.Future[Outcome | None]:
        """Start a run on this idle slot; the future tells its outcome (None: it ended by `cancel_run`) and never raises."""
        self._ended = ended = self._loop.create_future()
        serial = next(self._serials)
        self._is_under_way(execution, serial, observer)
        if self.alive:
            run = Run(execution, max_attempts, deadline, serial=serial)
            if self.children:
                self._begin_with_new_outputs(run, observer)
            else:
                self._outputs.begin_run(observer)
                self._connection.send(frame(run))
        else:
            self._finish(crashed("the slot's process ended before the run began", None))
        return ended

    def follow(
        self, execution: Execution, target: Target, observer: RunObserver, begun: Callable[[], int]
    ) -> "asyncio.Future[Outcome | None] | None":
        """Hand over a run that begins when those before it have ended; None when this slot can take none now.

        `begun` is called when it begins. The future tells as that of `begin` does, or raises `NotBegunError`.
        """
        if self._ahead is None or self.execution is None or self.children or not self.alive:
            return None
        if self._connection.is_behind:  # the run before it is still on its way
            return None
        serial = next(self._serials)
        run = Run(execution, target.max_attempts, 0, serial=serial, timeout=target.timeout)
        waiting = Waiting(execution, serial, observer, begun, self._loop.create_future(), frame(run))
        return waiting.ended if self._ahead.put(waiting) else None

    def withdraw(self, ended: "asyncio.Future[Outcome | None]") -> bool:
        """Take a run of `follow` back; False when it has begun, or is about to."""
        if self._ahead is None or not len(self._ahead):
            return False
        found = False
        for waiting in self._ahead.take_back():
            if waiting.ended is ended:
                found = True
            elif not self._ahead.put(waiting):
                _send_elsewhere(waiting)
        return found

    def cancel_run(self, ended: "asyncio.Future[Outcome | None]") -> None:
        """Tell the run of `ended` to end; it then ends with its outcome, or with None. Once it has begun, if it is about to."""
        if self._ended is ended:
            self.send(Cancel(self._serial))
        else:
            self._to_cancel = ended

    def limit_output(self, size: int) -> None:
        """End the process when it has written more than `size` bytes to stdout and stderr."""
        self._outputs.limit(size, self.kill)

    @property
    def wrote_too_much(self) -> bool:
        """Whether it was ended for that."""
        return self._outputs.is_excessive

    def send(self, message: Message) -> None:
        """Send a message, now or as soon as the slot takes it."""
        self._connection.send(frame(message))

    def kill(self, why: str | None = None) -> None:
        """End the process with all its descendants; `gone` tells when that is done. `why` becomes the run's error."""
        if self.alive:
            self._why_killed = self._why_killed or why
            for waiting in self._ahead.take_back() if self._ahead is not None else ():
                _send_elsewhere(waiting)
            self._end()

    def on_exited(self, exited: Exited) -> None:
        """Take in that the process and its descendants are gone; ends the run under way as crashed."""
        if not self.alive:
            return
        self._read_rest()
        self.alive = False
        never_begun, left = self._ahead.abandon() if self._ahead is not None else (False, [])
        if self.execution is not None:
            self._outputs.finish_run()
            if never_begun and self._ended is not None and not self._ended.done():
                self._ended.set_exception(NotBegunError())
            self._finish(self._crash(exited))
        for waiting in left:
            _send_elsewhere(waiting)
        self.close()

    def _is_under_way(self, execution: Execution, serial: int, observer: RunObserver) -> None:
        self.execution = execution
        self.started_at = time.monotonic()
        self.runs += 1
        self._serial = serial
        self._observer = observer

    def close(self) -> None:
        """Let go of the socket and the pipes. Idempotent."""
        self.alive = False
        if self._closed is not None:
            self._closed.cancel()
            self._closed = None
        self._connection.close()
        self._outputs.close()
        if self._ahead is not None:
            for waiting in self._ahead.abandon()[1]:
                _send_elsewhere(waiting)
            self._ahead.close()
        if not self.gone.done():
            self.gone.set_result(None)

    def _begin_with_new_outputs(self, run: Run, observer: RunObserver) -> None:
        """Part this run's output from that of processes which an earlier run left behind: they keep the old pipes."""
        read_out, write_out = os.pipe()
        read_err, write_err = os.pipe()
        self._outputs.replace(read_out, read_err)
        self._outputs.begin_run(observer)
        try:
            self._connection.send_with(frame(structs.replace(run, outputs=True)), [write_out, write_err])
        except OSError as error:
            self.kill(f"the slot's process could not be given new pipes: {error}")
        finally:
            os.close(write_out)
            os.close(write_err)

    def _take_in(self) -> None:
        """Read all there is: what stands there was said before the output that has just come."""
        for _ in range(_READS):
            if not self._connection.is_open or not self._read():
                return

    def _on_readable(self) -> None:
        if self._connection.is_open and self._read() is False:
            self._connection.ignore()
            # Nearly always because it has ended, which the zygote will report; if not, it is of no use any more.
            self._closed = self._loop.call_later(
                _EXIT_SECONDS,
                self.kill,
                "the slot's process closed its connection to the daemon and was ended",
            )

    def _read(self) -> bool | None:
        """Read once; None when there is nothing now, False when there never will be."""
        try:
            messages = self._connection.read()
        except BlockingIOError:
            return None
        except EOFError:
            return False
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
                self._end_run(message)
        elif self._observer is not None:
            if isinstance(message, Progressed):
                self._observer.progress(message.progress)
            else:
                self._observer.lines(message.lines)

    def _end_run(self, done: Done) -> None:
        ahead = self._ahead
        if ahead is None or done.halted:
            self._outputs.finish_run()
            self._finish(done.outcome)
            for waiting in ahead.halt() if ahead is not None else ():
                _send_elsewhere(waiting)
            return
        run = ahead.advance()
        if run is None:
            self._outputs.end_run()
            self._finish(done.outcome)
            return
        self._outputs.pass_on(run.observer)
        self._finish(done.outcome)
        self._ended = run.ended
        self._is_under_way(run.execution, run.serial, run.observer)
        run.begun()
        if self._to_cancel is run.ended:
            self.send(Cancel(run.serial))

    def _finish(self, outcome: Outcome | None) -> None:
        ended = self._ended_last = self._ended
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


def _send_elsewhere(waiting: Waiting) -> None:
    if not waiting.ended.done():
        waiting.ended.set_exception(NotBegunError())
