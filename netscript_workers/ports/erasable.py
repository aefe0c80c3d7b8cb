"""Engines whose queue can be removed whole, for those who made one for a while (a benchmark, a test)."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Erasable(Protocol):
    """What such an engine has beside the other ports."""

    async def erase(self) -> None:
        """Remove everything of this queue's name from the store, records and archive included; may raise `EngineError`."""
        ...
