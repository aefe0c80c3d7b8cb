"""Engines that can enqueue within a transaction of the caller's own."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from netscript_workers.domain.execution import Enqueued, NewExecution


@runtime_checkable
class Transactional(Protocol):
    """What such an engine has beside the other ports.

    What is enqueued appears, and wakes workers, when the caller's transaction commits; it vanishes with its rollback. Errors
    of the caller's connection come through as they are, for they are the caller's transaction's.
    """

    async def enqueue_within(self, connection: Any, requests: Sequence[NewExecution]) -> list[Enqueued]:
        """Enqueue through `connection`, one that blocks on a thread of its own.

        Raises `UsageError` for a kind that it does not know, and for a connection that is in no transaction.
        """
        ...
