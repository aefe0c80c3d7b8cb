"""The event loop of forked slots: made once in the zygote, without a descriptor, and finished in a slot that has to wait.

Making a loop is a quarter of what a fresh process costs (195 of its 760 pages, 0.7 of 2.7 ms), and most handlers that are
short never wait for anything: they need the loop's memory, which forks share, and none of its descriptors, which they must not.
"""

import asyncio
import selectors
from collections.abc import Callable, Mapping
from typing import Any, Final

# An async run that never waits looks twice. One that goes round and round without waiting must still hear of its cancellation.
_FREE_LOOKS: Final = 3


class SlotLoop(asyncio.SelectorEventLoop):
    """A loop that holds no descriptor before `finish`, which it calls by itself when first needed.

    `on_finish` is called then, once: what the slot always listens to is registered there.
    """

    def __init__(self) -> None:
        """Make the loop; may be done before a fork."""
        self._is_finished = False
        self.on_finish: Callable[[], None] | None = None
        super().__init__(_LateSelector(self.finish))

    def finish(self) -> None:
        """Make the descriptors of the loop. Idempotent."""
        if self._is_finished:
            return
        self._is_finished = True
        super()._make_self_pipe()  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]
        if self.on_finish is not None:
            self.on_finish()

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: Any) -> None:
        """Do as asyncio does, which needs the loop's descriptors at once."""
        self.finish()
        super().add_signal_handler(sig, callback, *args)

    # asyncio makes and closes the two ends that wake the loop from another thread in these two methods, in all of 3.11 to 3.14;
    # without them (`_csock` is None) a call from another thread is queued all the same and seen before the first wait.

    def _make_self_pipe(self) -> None:
        self._ssock = None
        self._csock = None

    def _close_self_pipe(self) -> None:
        if self._is_finished:
            super()._close_self_pipe()  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]


class _LateSelector(selectors.BaseSelector):
    """The system's selector, made when something is registered; the first real wait calls `finish` instead."""

    def __init__(self, finish: Callable[[], None]) -> None:
        self._finish: Callable[[], None] | None = finish
        self._real: selectors.BaseSelector | None = None
        self._looks = 0

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._made().register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._made().unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._made().modify(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self._finish is not None:
            self._looks += 1
            if timeout == 0 and self._looks <= _FREE_LOOKS and self._real is None:
                return []
            finish, self._finish = self._finish, None
            finish()
            return []  # what another thread queued till now woke nobody: the loop must look at it before it waits
        return self._made().select(timeout)

    def close(self) -> None:
        if self._real is not None:
            self._real.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._made().get_map()

    def _made(self) -> selectors.BaseSelector:
        if self._real is None:
            self._real = selectors.DefaultSelector()
        return self._real


def loop_to_fork() -> SlotLoop | None:
    """Make the loop that slots will inherit; None when the job modules have put another kind of loop in asyncio's place."""
    usual = asyncio.new_event_loop()
    try:
        return SlotLoop() if type(usual) is asyncio.SelectorEventLoop else None
    finally:
        usual.close()
