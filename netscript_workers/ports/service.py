"""A long-lived part of the daemon."""

from typing import Protocol


class Service(Protocol):
    """Starts once, stops once, says its name. Both calls are idempotent."""

    @property
    def name(self) -> str:
        """Return the name used in logs."""
        ...

    async def start(self) -> None:
        """Return when the part works; raises when it cannot."""
        ...

    async def stop(self, grace_ms: int) -> None:
        """Return when the part is over, after at most about `grace_ms`; log what had to be abandoned."""
        ...
