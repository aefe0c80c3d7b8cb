"""Claims whose answer never arrived: they may have been made, or still be under way."""

import time
from typing import Final

_STILL_COMES_S: Final = 15.0
_AGAIN_S: Final = 1.0


class UnheardClaims:
    """The tokens of such claims, to be given back: else each would wait for its lease and use up an attempt.

    A server goes on with a statement whose connection broke, and a claim may wait there for a lock. So a token whose statement
    is not known to be over is given back again, once a second, until it must be.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._over_at: dict[int, float] = {}
        self._next = 0.0

    def add(self, token: int, *, over: bool) -> None:
        """Keep `token`, to be given back at once; `over` says that its statement has ended."""
        now = time.monotonic()
        self._over_at[token] = now if over else now + _STILL_COMES_S
        self._next = now

    def due(self) -> list[int]:
        """Return all tokens, or none when they have just been tried."""
        if not self._over_at or time.monotonic() < self._next:
            return []
        return self.all()

    def all(self) -> list[int]:
        """Return all tokens."""
        return list(self._over_at)

    def given_back(self, tokens: list[int], begun: float) -> None:
        """Forget those of `tokens` whose statement was over when they were given back, at `begun` (monotonic seconds)."""
        for token in tokens:
            over_at = self._over_at.get(token)  # another claim may have given it back meanwhile
            if over_at is not None and over_at <= begun:
                del self._over_at[token]
        self._next = max(self._next, begun + _AGAIN_S)
