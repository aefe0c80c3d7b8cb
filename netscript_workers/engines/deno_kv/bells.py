"""Wakes whoever waits on this file, in this process and in others, without polling.

Beside the database stands a directory with one small file a bell. After its commit a writer writes one byte to
a bell's file; waiters watch the directory with inotify. Elsewhere than on Linux, and as a net, waiters look again
once in `LOOK_AGAIN_S`.
"""

import asyncio
import os
import struct
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Final

from netscript_workers.engines.deno_kv import inotify
from netscript_workers.errors import EngineUnavailableError

LOOK_AGAIN_S: Final = 1.0
_HEAD: Final = struct.Struct("iIII")


class Bell(StrEnum):
    """What may have happened."""

    WORK = "work"
    CANCEL = "cancel"
    SETTLED = "settled"


_NAMES: Final = frozenset(bell.value for bell in Bell)


class Bells:
    """The bells of one database file. `ring` may be called from any thread, everything else from the loop's."""

    def __init__(self, database: Path) -> None:
        """Name the directory; `open` makes it."""
        self._folder = database.with_name(database.name + ".signals")
        self._ropes: dict[Bell, int] = {}
        self._watch = -1
        self._loop: asyncio.AbstractEventLoop | None = None
        self._strokes = dict.fromkeys(Bell, 0)
        self.heard = 0
        self._waiting: dict[Bell, set[asyncio.Future[None]]] = {bell: set() for bell in Bell}

    def open(self) -> None:
        """Make what is missing and begin to listen; raises `EngineUnavailableError` where nothing can be written."""
        try:
            self._folder.mkdir(exist_ok=True)
            for bell in Bell:
                flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
                self._ropes[bell] = os.open(self._folder / bell.value, flags, 0o666)
        except OSError as error:
            raise EngineUnavailableError(
                f"cannot write in {self._folder}: {error.strerror}. "
                "Let this user write beside the queue's file, or put the file elsewhere (connections.deno_kv_path)."
            ) from error
        self._loop = asyncio.get_running_loop()
        self._watch = inotify.open_watch()
        if self._watch >= 0 and not inotify.watch(self._watch, self._folder):
            os.close(self._watch)
            self._watch = -1  # out of watches: the net of `LOOK_AGAIN_S` holds
        if self._watch >= 0:
            self._loop.add_reader(self._watch, self._on_modified)

    def close(self) -> None:
        """Let go of every descriptor; whoever still waits is woken."""
        if self._watch >= 0 and self._loop is not None:
            self._loop.remove_reader(self._watch)
            os.close(self._watch)
            self._watch = -1
        for rope in self._ropes.values():
            os.close(rope)
        self._ropes.clear()
        for bell in Bell:
            self._strike(bell)

    def ring(self, bells: Iterable[Bell]) -> None:
        """Wake all waiters of `bells`, in every process."""
        for bell in bells:
            rope = self._ropes.get(bell)
            if rope is not None:
                os.pwrite(rope, b".", 0)

    def strokes(self, bell: Bell) -> int:
        """Return how often `bell` was heard; what `wait` takes."""
        return self._strokes[bell]

    async def wait(self, bell: Bell, heard: int, seconds: float) -> bool:
        """Return True once `bell` is heard beyond `heard` strokes, False after `seconds`."""
        if self._strokes[bell] != heard:
            return True
        if seconds <= 0:
            return False
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        bound = loop.call_later(seconds, _release, waiter)
        self._waiting[bell].add(waiter)
        try:
            await waiter
        finally:
            bound.cancel()
            self._waiting[bell].discard(waiter)
        return self._strokes[bell] != heard

    def _on_modified(self) -> None:
        try:
            data = os.read(self._watch, 65_536)
        except BlockingIOError:
            return
        heard: set[Bell] = set()
        at = 0
        while at < len(data):
            _, _, _, length = _HEAD.unpack_from(data, at)
            name = data[at + _HEAD.size : at + _HEAD.size + length].rstrip(b"\0").decode()
            at += _HEAD.size + length
            if name in _NAMES:
                heard.add(Bell(name))
        for bell in heard or set(Bell):  # an overflow names nothing: everything may have happened
            self._strike(bell)

    def _strike(self, bell: Bell) -> None:
        self._strokes[bell] += 1
        self.heard += 1
        for waiter in self._waiting[bell]:
            _release(waiter)


def _release(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)
