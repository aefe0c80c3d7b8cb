"""Outlasting an engine that fails for a while: back off with jitter, say so once, say when it is over."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from netscript_workers.errors import EngineError

FIRST_DELAY_S: Final = 0.05
MAX_DELAY_S: Final = 5.0
SAY_AGAIN_S: Final = 30.0

T = TypeVar("T")
log = logging.getLogger("netscript_workers.worker")


class Outages:
    """Counts what is failing now, for all parts of a worker. `degraded` is the latest reason, None when all is well."""

    def __init__(self) -> None:
        """Begin in good health."""
        self._failing: dict[str, str] = {}
        self.calls: dict[str, int] = {}
        """How often each thing was asked of the engine, failures included; one call is for many executions."""
        self.errors: dict[str, int] = {}
        self._since = 0.0
        self._last: tuple[float, float] | None = (
            None  # when the last outage ended, and how long it was (monotonic, s)
        )
        self._tried: dict[str, float] = {}  # since when the present try at something lasts (monotonic, s)
        self._reached = asyncio.Event()
        self.changed = asyncio.Event()
        """Set whenever something begins to fail or works again; whoever waits for it clears it."""

    @property
    def degraded(self) -> str | None:
        """Return why the worker is degraded, or None."""
        return self.degraded_besides("")

    def fails_at(self, what: str) -> bool:
        """Tell whether `what` fails at the moment."""
        return what in self._failing

    def degraded_besides(self, what: str) -> str | None:
        """Return the same without what `what` fails at: once that is told of, it works again."""
        return next((reason for failing, reason in self._failing.items() if failing != what), None)

    def settled_in(self, lease_s: float) -> float:
        """Return in how many seconds every worker has had one lease's time to renew since the last outage; 0 when it has.

        An outage of less than a third of a lease keeps nobody from renewing in time. While one goes on the answer is a lease.
        """
        if self._failing:
            return lease_s
        if self._last is None:
            return 0.0
        ended, lasted = self._last
        return 0.0 if lasted < lease_s / 3 else max(0.0, ended + lease_s - time.monotonic())

    def stalled_s(self, *whats: str) -> float:
        """Return for how many seconds the present try at one of `whats` has had no answer, at most; trying again begins anew."""
        now = time.monotonic()
        return max((now - self._tried[what] for what in whats if what in self._tried), default=0.0)

    async def outlast(
        self, what: str, call: Callable[[], Awaitable[T]], *, give_up: Callable[[], bool] | None = None
    ) -> T:
        """Await `call()` again and again while it raises `EngineError`; `what` names it in the log.

        With `give_up`, its True after a failure lets the error out instead. Delays grow from 50 ms to 5 s, each with jitter.
        """
        delay = FIRST_DELAY_S
        began = said = 0.0
        try:
            while True:
                self._tried[what] = time.monotonic()
                self.calls[what] = self.calls.get(what, 0) + 1
                try:
                    answer = await call()
                except EngineError as error:
                    self.errors[what] = self.errors.get(what, 0) + 1
                    if give_up is not None and give_up():
                        raise
                    self._tried.pop(what, None)
                    now = time.monotonic()
                    began = began or self._begin(now)
                    self._failing[what] = f"{what}: {error}"
                    if not said or now - said >= SAY_AGAIN_S:
                        said = now
                        log.warning("degraded: cannot %s: %s; trying again", what, error)
                    await self._pause(delay * random.uniform(0.5, 1.0))
                    delay = min(delay * 2, MAX_DELAY_S)
                    continue
                if began:
                    log.warning("recovered: could not %s for %.1f s", what, time.monotonic() - began)
                    self._recovered(what)
                return answer
        finally:
            self._tried.pop(what, None)
            if began:  # also when the caller went away in the midst of it
                self._over(what)

    async def _pause(self, seconds: float) -> None:
        """Wait so long, or until another part got through: then the engine is likely back for all."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._reached.wait()
                await asyncio.sleep(random.uniform(0, FIRST_DELAY_S))

    def _begin(self, now: float) -> float:
        if not self._failing:
            self._since = now
        self.changed.set()
        return now

    def _recovered(self, what: str) -> None:
        self._reached.set()
        self._reached = asyncio.Event()
        self._over(what)
        if not self._failing:
            log.warning("all is well again: degraded for %.1f s", time.monotonic() - self._since)

    def _end(self) -> None:
        now = time.monotonic()
        self._last = (now, now - self._since)

    def _over(self, what: str) -> None:
        if self._failing.pop(what, None) is not None:
            self.changed.set()
            if not self._failing:
                self._end()
