"""A bell: whoever waits hears it, and whoever comes late can tell that it rang."""

import asyncio


class Bell:
    """Counts its strokes. Belongs to the event loops of its waiters; not for several threads."""

    def __init__(self) -> None:
        """Begin silent."""
        self.strokes = 0
        self._waiting: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        """Wake all who wait."""
        self.strokes += 1
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    async def wait(self, strokes: int, timeout_s: float) -> None:
        """Return once the bell has rung more than `strokes` times, or after `timeout_s`."""
        if self.strokes != strokes or timeout_s <= 0:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await asyncio.wait([future], timeout=timeout_s)
        finally:
            self._waiting.discard(future)
