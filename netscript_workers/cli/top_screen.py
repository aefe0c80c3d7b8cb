"""The live view of `workers top`."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Final

from netscript_workers.cli import top_view
from netscript_workers.errors import EngineError

if TYPE_CHECKING:
    from rich.live import Live

    from netscript_workers.ports.engine import Engine

_BOUND_S: Final = 10.0
_KEYS: Final = {b"\x1b[A": "up", b"\x1b[B": "down", b"k": "up", b"j": "down", b"\t": "tab", b"\x03": "q"}


async def look(engine: "Engine") -> top_view.Look:
    """Look at the queue now, within a bound."""
    async with asyncio.timeout(_BOUND_S):
        return await top_view.look(engine, time.time_ns() // 1_000_000, time.monotonic())


class Screen:
    """The live view: looks, draws, and acts on keys until `q`."""

    def __init__(self, engine: "Engine", period_s: float) -> None:
        """Look at `engine` every `period_s`."""
        self._engine = engine
        self._period_s = period_s
        self._keys: asyncio.Queue[str] = asyncio.Queue()
        self._seen: top_view.Look | None = None
        self._rates: Any = {}
        self._table = "lanes"
        self._row = 0
        self._said = ""

    async def run(self) -> None:
        """Draw until told to end."""
        from rich.console import Console
        from rich.live import Live

        with (
            _keys_of(sys.stdin.fileno(), self._keys.put_nowait),
            Live(console=Console(), screen=True, auto_refresh=False) as live,
        ):
            due = 0.0
            while True:
                if time.monotonic() >= due:
                    await self._look_again()
                    due = time.monotonic() + self._period_s
                self._draw(live)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(due - time.monotonic(), 0.01)):
                        key = await self._keys.get()
                        if key == "q":
                            return
                        await self._act(key)

    async def _look_again(self) -> None:
        try:
            seen = await look(self._engine)
        except (EngineError, TimeoutError) as error:
            self._said = f"the queue does not answer: {error}"
            return
        self._rates = top_view.rates(self._seen, seen)
        self._seen = seen

    def _draw(self, live: "Live") -> None:
        if self._seen is None:
            live.update(self._said, refresh=True)
            return
        self._row = min(self._row, max(self._rows() - 1, 0))
        live.update(
            top_view.drawn(self._seen, self._rates, (self._table, self._row), self._said), refresh=True
        )

    def _rows(self) -> int:
        seen = self._seen
        if seen is None:
            return 0
        return len(seen.depths) if self._table == "lanes" else len(seen.running)

    async def _act(self, key: str) -> None:
        if key == "tab":
            self._table, self._row = ("runs" if self._table == "lanes" else "lanes"), 0
        elif key in ("up", "down"):
            self._row = min(max(self._row + (1 if key == "down" else -1), 0), max(self._rows() - 1, 0))
        elif key in ("p", "c") and self._row < self._rows():
            try:
                self._said = await (self._pause() if key == "p" else self._cancel())
            except EngineError as error:
                self._said = f"that did not work: {error}"
            await self._look_again()

    async def _pause(self) -> str:
        seen = self._seen
        if seen is None or self._table != "lanes":
            return "choose a lane first (tab)"
        lane = seen.depths[self._row]
        if lane.paused:
            await self._engine.resume(lane.topic)
            return f"{lane.topic} is served again"
        await self._engine.pause(lane.topic)
        return f"{lane.topic} is paused"

    async def _cancel(self) -> str:
        seen = self._seen
        if seen is None or self._table != "runs":
            return "choose a run first (tab)"
        run = seen.running[self._row]
        await self._engine.cancel_many([run.id])
        return f"{run.id} was asked to stop"


@contextlib.contextmanager
def _keys_of(terminal: int, tell: Callable[[str], None]) -> Generator[None]:
    """Read keys one by one, unechoed, for the time of a `with`; the terminal is put back as it was."""
    import termios
    import tty

    def read() -> None:
        pressed = os.read(terminal, 64)
        if pressed in _KEYS:
            tell(_KEYS[pressed])
        elif not pressed:
            tell("q")  # the terminal is gone
        else:
            for character in pressed:
                key = bytes((character,))
                tell(_KEYS.get(key, chr(character)))

    before = termios.tcgetattr(terminal)
    loop = asyncio.get_running_loop()
    tty.setcbreak(terminal)
    loop.add_reader(terminal, read)
    try:
        yield
    finally:
        loop.remove_reader(terminal)
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
