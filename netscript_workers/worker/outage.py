"""Outlasting an engine that fails for a while: back off with jitter, say so once, say when it is over."""

import asyncio
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

    @property
    def degraded(self) -> str | None:
        """Return why the worker is degraded, or None."""
        return next(iter(self._failing.values()), None)

    async def outlast(
        self, what: str, call: Callable[[], Awaitable[T]], *, give_up: Callable[[], bool] | None = None
    ) -> T:
        """Await `call()` again and again while it raises `EngineError`; `what` names it in the log.

        With `give_up`, its True after a failure lets the error out instead. Delays grow from 50 ms to 5 s, each with jitter.
        """
        delay = FIRST_DELAY_S
        began = said = 0.0
        while True:
            try:
                answer = await call()
            except EngineError as error:
                if give_up is not None and give_up():
                    self._failing.pop(what, None)
                    raise
                now = time.monotonic()
                self._failing[what] = f"{what}: {error}"
                if not began:
                    began = now
                if not said or now - said >= SAY_AGAIN_S:
                    said = now
                    log.warning("degraded: cannot %s: %s; trying again", what, error)
                await asyncio.sleep(delay * random.uniform(0.5, 1.0))
                delay = min(delay * 2, MAX_DELAY_S)
                continue
            if began:
                self._failing.pop(what, None)
                log.warning("recovered: could not %s for %.1f s", what, time.monotonic() - began)
            return answer
