"""Signals: a handler only puts a word on a queue; the daemon's loop acts on it (ARCHITECTURE decision 8)."""

import asyncio
import signal
import sys
from enum import StrEnum
from functools import partial
from types import FrameType
from typing import Final


class Word(StrEnum):
    """What a signal asks for."""

    STOP = "stop"
    PAUSE = "pause"
    RESUME = "resume"
    REPORT = "report"
    RELOAD = "reload"


_WORDS: Final = {
    "SIGTERM": Word.STOP,
    "SIGINT": Word.STOP,
    "SIGTSTP": Word.PAUSE,
    "SIGCONT": Word.RESUME,
    "SIGUSR1": Word.REPORT,
    "SIGHUP": Word.RELOAD,
}


class Signals:
    """Owns the process's signal handlers between `install` and `remove`."""

    def __init__(self) -> None:
        """Listen to nothing yet."""
        self.words: asyncio.Queue[Word] = asyncio.Queue()
        self._installed: list[signal.Signals] = []

    def install(self) -> None:
        """Take over TERM, INT, USR1, HUP, and, away from a terminal, TSTP and CONT (there Ctrl-Z keeps its meaning).

        Only from the main thread, with the loop running.
        """
        loop = asyncio.get_running_loop()
        attached = _attached_to_terminal()
        for name, word in _WORDS.items():
            number = getattr(signal, name, None)  # Windows has only some of them
            if number is None or (attached and word in (Word.PAUSE, Word.RESUME)):
                continue
            try:
                loop.add_signal_handler(number, self.words.put_nowait, word)
            except NotImplementedError:  # Windows: the loop cannot; the interpreter can, for those it has
                signal.signal(number, partial(self._from_interpreter, loop, word))
            self._installed.append(number)

    def _from_interpreter(
        self, loop: asyncio.AbstractEventLoop, word: Word, _number: int, _frame: FrameType | None
    ) -> None:
        loop.call_soon_threadsafe(self.words.put_nowait, word)

    def remove(self) -> None:
        """Give every signal its default meaning back."""
        loop = asyncio.get_running_loop()
        for number in self._installed:
            try:
                loop.remove_signal_handler(number)
            except NotImplementedError:
                signal.signal(number, signal.SIG_DFL)
        self._installed.clear()


def _attached_to_terminal() -> bool:
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()
