"""Starts programs for the daemon: keeps the source of keepers alive, and a keeper for each program at a time."""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from netscript_workers.domain.command import CommandSpec
from netscript_workers.errors import SlotError
from netscript_workers.processes.ending import ending_in_words
from netscript_workers.processes.kept import Child, KeptProgram
from netscript_workers.processes.loop_frames import LoopFrames
from netscript_workers.processes.orphans import end_orphans
from netscript_workers.processes.prctl import ProcessControl
from netscript_workers.processes.spawn_messages import FROM_SOURCE, FromSource, Keep, NotKept, Prepare, Ready

MARKER: Final = "NETSCRIPT_WORKERS_KEEPERS"
START_MS: Final = 30_000
_POLL_SECONDS: Final = 0.005
_KILL_SECONDS: Final = 5.0
_SWEEP_SECONDS: Final = 5.0
# What an interpreter needs to find this package; no program can read anything else of the daemon's environment in that process.
_KEPT: Final = ("PATH", "PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "LD_LIBRARY_PATH", "TMPDIR")

_log = logging.getLogger(__name__)


class Spawner:
    """Starts programs, each in a session of its own, with nothing but what its command says.

    `modules` are those of the confinements that commands will carry. Between `start` and `stop` this process adopts what is
    orphaned below it, for the case that keepers and their source are killed.
    """

    def __init__(self, modules: Sequence[str] = ()) -> None:
        self._modules = tuple(modules)
        self._marker = secrets.token_hex(16)
        self._changing = asyncio.Lock()
        self._idle: list[KeptProgram] = []
        self._all: set[KeptProgram] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._source: LoopFrames[FromSource] | None = None
        self._ready: asyncio.Future[Ready] | None = None
        self._prctl: ProcessControl | None = None
        self._recovery: asyncio.Task[None] | None = None
        self._started = False

    @property
    def pid(self) -> int:
        """The process id of the source of keepers; 0 while there is none."""
        return self._process.pid if self._process else 0

    async def start(self, *, launch: bool = True) -> None:
        """Have the source of keepers; raises `SlotError` when it does not come up. Idempotent.

        `launch` false: have it with the first program only.
        """
        async with self._changing:
            if self._started:
                return
            if launch:
                try:
                    await self._launch()
                except BaseException:
                    await self._end(0)
                    raise
            self._started = True

    async def stop(self, grace_ms: int) -> None:
        """End every program, keeper and their source, within about `grace_ms`. Idempotent."""
        async with self._changing:
            self._started = False
            await self._end(grace_ms)
        if self._recovery is not None:  # bounded itself, and nearly always over long ago
            await asyncio.wait({self._recovery})
            self._recovery = None

    async def spawn(self, spec: CommandSpec) -> Child:
        """Start a program; what prevents that is told by its `refused` and its end.

        Raises `SlotError` when no keeper can be had, or no descriptor is left.
        """
        return (self._idle_one(spec) or await self._another()).spawn(spec)

    def _idle_one(self, spec: CommandSpec) -> KeptProgram | None:
        """Take the idle keeper that has most to offer: for this kind of program, else with least that is ready for another."""
        kind = spec.confinement.kind if spec.confinement is not None else ""
        for wanted in dict.fromkeys((kind, "")):
            for index in range(len(self._idle) - 1, -1, -1):
                if self._idle[index].kind == wanted:
                    return self._idle.pop(index)
        return self._idle.pop(0) if self._idle else None

    async def _another(self) -> KeptProgram:
        if not self._started:
            raise SlotError("a program was to be started outside the life of its runner")
        async with self._changing:
            source = self._source
            if (
                source is None or not source.is_open
            ):  # `_recover` has ended what was left of the last one, or does now
                await self._end_source(_KILL_SECONDS)
                source = await self._launch()
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise SlotError(
                f"no connection to a process that keeps a program could be made: {error}"
            ) from error
        keeper = KeptProgram(ours, self._idle.append, self._on_lost)
        self._all.add(keeper)
        source.send(Keep(), (theirs.detach(),))
        return keeper

    def _on_lost(self, keeper: KeptProgram) -> None:
        self._all.discard(keeper)
        if keeper in self._idle:
            self._idle.remove(keeper)

    # ------------------------------------------------------------------ the source

    async def _launch(self) -> LoopFrames[FromSource]:
        if sys.platform == "win32":
            raise SlotError(
                "tasks are started by a helper that needs Linux or macOS; on Windows run the daemon in WSL"
            )
        if self._prctl is None:
            control = ProcessControl()
            if not control.adopts_orphans():  # else it is somebody else's to take back
                control.adopt_orphans()
                self._prctl = control
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise SlotError(
                f"no connection to a process that starts programs could be made: {error}"
            ) from error
        environment = {name: value for name, value in os.environ.items() if name in _KEPT}
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: ASYNC220 - a millisecond, once
                    [
                        sys.executable,
                        "-P",
                        "-m",
                        "netscript_workers.processes.keeper_source",
                        str(theirs.fileno()),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=sys.__stderr__.fileno() if sys.__stderr__ else subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    env={**environment, MARKER: self._marker},
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                raise SlotError(f"the process that starts programs could not be started: {error}") from error
        self._ready = ready = asyncio.get_running_loop().create_future()
        self._source = source = LoopFrames(ours, FROM_SOURCE, self._take, self._lose)
        source.send(Prepare(self._modules))
        done, _ = await asyncio.wait({ready}, timeout=START_MS / 1000)
        if not done:
            raise SlotError(f"the process that starts programs did not answer within {START_MS} ms")
        error = ready.result().error
        if error is not None:
            raise SlotError(f"the process that starts programs cannot confine them: {error}")
        return source

    def _take(self, message: FromSource) -> None:
        if isinstance(message, NotKept):
            _log.error("a process that keeps a program could not be forked: %s", message.reason)
        elif self._ready is not None and not self._ready.done():
            self._ready.set_result(message)

    def _lose(self) -> None:
        """Take in that the source has died: what its keepers run is ended, and the next program brings another source."""
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(SlotError("the process that starts programs ended at once"))
            return
        self._idle.clear()
        self._recovery = asyncio.get_running_loop().create_task(
            self._recover(), name="recovery of the spawner"
        )

    async def _recover(self) -> None:
        async with self._changing:
            process = self._process
            await self._end_source(_KILL_SECONDS)
            self._close_keepers()
        code = process.returncode if process else None
        _log.error(
            "the process that starts programs %s; its runs have failed; another one is started when it is needed",
            ending_in_words(code) if code is not None else "closed its connection",
        )

    async def _end(self, grace_ms: int) -> None:
        self._close_keepers()
        await self._end_source(grace_ms / 1000)
        if self._prctl is not None:
            self._prctl.leave_orphans()
            self._prctl = None

    def _close_keepers(self) -> None:
        for keeper in list(self._all):
            keeper.close()
        self._all.clear()
        self._idle.clear()

    async def _end_source(self, seconds: float) -> None:
        """End the source, kill it when it takes longer, and end what was orphaned to this process."""
        process, self._process = self._process, None
        source, self._source = self._source, None
        if source is not None:
            source.close()
        if process is None:
            return
        if not await _ended(process, max(seconds, 0.1)):
            process.kill()
            await _ended(process, _KILL_SECONDS)
        if process.returncode == 0:
            return  # it has seen the last of its keepers
        sessions = {keeper.child.pid for keeper in self._all if keeper.child is not None and keeper.child.pid}
        left = await end_orphans(f"{MARKER}={self._marker}", sessions, _SWEEP_SECONDS)
        if left:
            _log.error("processes that programs left behind could not be ended: %s", left)


async def _ended(process: "subprocess.Popen[bytes]", seconds: float) -> bool:
    """Wait for the end of `process` and reap it; False when it still lives after `seconds`."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while process.poll() is None:  # noqa: ASYNC110 - the kernel tells the end of a child by a signal only
                await asyncio.sleep(_POLL_SECONDS)
    return process.poll() is not None
