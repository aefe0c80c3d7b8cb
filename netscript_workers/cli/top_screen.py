"""The live view of `workers top`."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Final

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
        return await top_view.look(engine, time.time_ns() // 1_000_000)


class Screen:
    """The live view: looks, draws, and acts on keys until `q`."""

    def __init__(self, engine: "Engine", period_s: float) -> None:
        """Look at `engine` every `period_s`."""
        self._engine = engine
        self._period_s = period_s
        self._keys: asyncio.Queue[str] = asyncio.Queue()
        self._seen: top_view.Look | None = None
        self._table = "lanes"
        self._row = 0
        self._chosen: str | None = (
            None  # the topic or the execution in that row, which may move at the next look
        )
        self.said = ""
        """What the last line says: what came of a key, or that the queue is away."""
        self._is_away = False

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
                    await self.look_again()
                    due = time.monotonic() + self._period_s
                self._draw(live)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(due - time.monotonic(), 0.01)):
                        key = await self._keys.get()
                        if key == "q":
                            return
                        await self.press(key)

    async def look_again(self) -> None:
        """Look at the queue; one that does not answer is said to be away, and what was seen last stays."""
        try:
            self._seen = await look(self._engine)
        except (EngineError, TimeoutError) as error:
            self.said = f"the queue does not answer: {str(error) or f'nothing within {_BOUND_S:.0f} s'}"
            self._is_away = True
            return
        if self._is_away:
            self._is_away, self.said = False, ""
        self._follow()

    def _follow(self) -> None:
        """Stay with what was chosen: another run may stand in its row now, and must not be cancelled in its place."""
        ids = self._ids()
        if self._chosen in ids:
            self._row = ids.index(self._chosen)
        elif self._table == "runs":
            self._row, self._chosen = -1, None
        else:
            self._choose(self._row)

    def _choose(self, row: int) -> None:
        ids = self._ids()
        self._row = min(max(row, 0), len(ids) - 1)
        self._chosen = ids[self._row] if ids else None

    def _draw(self, live: "Live") -> None:
        if self._seen is None:
            live.update(self.said, refresh=True)
            return
        live.update(top_view.drawn(self._seen, (self._table, self._row), self.said), refresh=True)

    def _ids(self) -> list[str]:
        seen = self._seen
        if seen is None:
            return []
        return (
            [one.topic for one in seen.depths] if self._table == "lanes" else [one.id for one in seen.running]
        )

    async def press(self, key: str) -> None:
        """Act on a key."""
        if key == "tab":
            self._table = "runs" if self._table == "lanes" else "lanes"
            self._choose(0)
        elif key in ("up", "down"):
            self._choose(self._row + (1 if key == "down" else -1))
        elif key in ("p", "c"):
            try:
                async with asyncio.timeout(_BOUND_S):
                    self.said = await (self._pause() if key == "p" else self._cancel())
            except (EngineError, TimeoutError) as error:
                self.said = f"that did not work: {str(error) or f'no answer within {_BOUND_S:.0f} s'}"
            await self.look_again()

    async def _pause(self) -> str:
        seen = self._seen
        if seen is None or self._table != "lanes" or self._chosen is None:
            return "choose a lane first (tab)"
        lane = seen.depths[self._row]
        if lane.paused:
            await self._engine.resume(lane.topic)
            return f"{lane.topic} is served again"
        await self._engine.pause(lane.topic)
        return f"{lane.topic} is paused"

    async def _cancel(self) -> str:
        seen = self._seen
        if seen is None or self._table != "runs" or self._chosen is None:
            return "choose a run first (tab, up, down)"
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
