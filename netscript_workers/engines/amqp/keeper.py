"""Keeps a link to RabbitMQ: when one breaks, the next is made, with backoff and jitter, until `close`."""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Final

from netscript_workers.engines.amqp.address import Address
from netscript_workers.engines.amqp.link import Link
from netscript_workers.engines.amqp.messages import Delivery
from netscript_workers.errors import EngineError

FIRST_DELAY_S: Final = 0.1
MAX_DELAY_S: Final = 5.0

log = logging.getLogger("netscript_workers.engine")


class Keeper:
    """Owns one link at a time, and the task that replaces it.

    `number` counts the links that were made: what was declared, consumed or held on an earlier one is void.
    """

    def __init__(
        self,
        address: Address,
        name: str,
        on_delivery: Callable[[Delivery], None],
        on_cancelled: Callable[[str], None],
        on_change: Callable[[], None],
    ) -> None:
        """Prepare; `on_change` is called when a link was lost, and when the one that replaces it was made."""
        self._address = address
        self._name = name
        self._on_delivery = on_delivery
        self._on_cancelled = on_cancelled
        self._on_change = on_change
        self._link: Link | None = None
        self._why = EngineError(f"{address.place} has not been connected to")
        self._task: asyncio.Task[None] | None = None
        self.number = 0

    @property
    def link(self) -> Link:
        """Return the live link; raises `EngineError` while there is none."""
        if self._link is None:
            raise EngineError(str(self._why))
        self._link.check()
        return self._link

    @property
    def alive(self) -> bool:
        """Tell whether there is a live link."""
        return self._link is not None and not self._link.lost.is_set()

    async def open(self) -> None:
        """Make the first link; raises as `Link.open` does. Idempotent."""
        if self._task is None:
            await self._make()
            self._task = asyncio.get_running_loop().create_task(self._keep(), name=f"amqp {self._name}")

    async def close(self) -> None:
        """End the link and the task. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task}, timeout=5)
        link, self._link = self._link, None
        self._why = EngineError(f"the connection to {self._address.place} is closed")
        if link is not None:
            await link.close()

    async def _make(self) -> None:
        link = Link(self._address, self._name, self._on_delivery, self._on_cancelled)
        await link.open()
        self._link = link
        self.number += 1

    async def _keep(self) -> None:
        while True:
            link = self._link
            if link is not None:
                await link.lost.wait()
                self._lose(link)
            await self._replace()
            self._on_change()

    def _lose(self, link: Link) -> None:
        try:
            link.check()
        except EngineError as error:
            self._why = error
        self._link = None
        self._on_change()
        log.warning("lost a connection: %s; connecting anew", self._why)

    async def _replace(self) -> None:
        delay = FIRST_DELAY_S
        while True:
            try:
                await self._make()
            except EngineError as error:
                self._why = error
            except Exception as error:
                log.exception("a fault of our own while connecting to RabbitMQ; please report this")
                self._why = EngineError(f"cannot connect to {self._address.place}: {error}")
            else:
                log.info("connected to %s again", self._address.place)
                return
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(delay * 2, MAX_DELAY_S)
