"""Takes in what other programs put into our queue, and tickets that come back from a long delay.

A job goes into the store of records and gets its ticket, then its message is acknowledged: killed between, it comes again.
A message with an id of its own (`message_id`) is taken in once however often it comes; one without is known again when its link
is lost and RabbitMQ gives it to this process again. What is no job becomes a dead letter.
"""

import asyncio
import hashlib
import logging
import time
from typing import Final

import msgspec

from netscript_workers.domain.execution import NewExecution
from netscript_workers.domain.ids import IdFactory
from netscript_workers.domain.message import NoJobError, Terms, to_execution
from netscript_workers.engines.amqp.inbox import Inbox
from netscript_workers.engines.amqp.messages import Delivery
from netscript_workers.engines.amqp.tickets import KIND, Ticket, Tickets, read_ticket, tickets_for
from netscript_workers.engines.amqp.topology import Topology
from netscript_workers.errors import EngineError
from netscript_workers.ports.engine import Engine

PREFETCH: Final = 200
AGAIN_S: Final = 60.0
"""So long after a link was made what comes again is looked for among what came over the last one."""
_FIRST_DELAY_S: Final = 0.1
_MAX_DELAY_S: Final = 5.0

log = logging.getLogger("netscript_workers.engine")


class _Message:
    """A delivery, the id its execution has however often it is tried, and whether it lies among the dead letters."""

    __slots__ = ("buried", "delivery", "execution_id")

    def __init__(self, delivery: Delivery, execution_id: str, *, buried: bool = False) -> None:
        self.delivery = delivery
        self.execution_id = execution_id
        self.buried = buried

    @property
    def kind(self) -> tuple[str | None, bytes]:
        """What this message and those that nothing tells from it have in common."""
        return self.delivery.message_id, self.delivery.body


class Intake:
    """Owns the consumer of the queue for foreign programs and the task that works off what it brings."""

    def __init__(
        self, inbox: Inbox, topology: Topology, store: Engine, tickets: Tickets, terms: Terms
    ) -> None:
        """Take in through `inbox`, into `store`; `terms` says how messages are read."""
        self._inbox = inbox
        self._topology = topology
        self._store = store
        self._tickets = tickets
        self._terms = terms
        self._ids = IdFactory()
        self._came: list[_Message] = []
        self._again: dict[
            tuple[str | None, bytes], list[_Message]
        ] = {}  # not acknowledged when a link was lost
        self._again_until = 0.0
        self._some = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._consuming = False

    def start(self) -> None:
        """Begin to take in. Idempotent."""
        if self._task is None:
            self._some.set()
            self._task = asyncio.get_running_loop().create_task(self._take_in(), name="amqp intake")

    async def stop(self) -> None:
        """End; what was not taken in yet comes again. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task}, timeout=5)

    def put(self, delivery: Delivery) -> None:
        """Take one delivery, to be acknowledged once it is taken in."""
        known = self._known(delivery) if self._again and delivery.redelivered else None
        if known is not None:
            self._came.append(_Message(delivery, known.execution_id, buried=known.buried))
        else:
            self._came.append(_Message(delivery, self._new_id(delivery)))
        self._some.set()

    def changed(self) -> None:
        """Begin anew: the link was lost, or is new."""
        for message in self._came:
            self._again.setdefault(message.kind, []).append(message)
        self._again_until = asyncio.get_running_loop().time() + AGAIN_S
        self._came.clear()
        self._consuming = False
        self._some.set()

    def _known(self, delivery: Delivery) -> _Message | None:
        """Return what came before and, as far as anybody can tell, is this. Of several that are alike each is found once."""
        if asyncio.get_running_loop().time() > self._again_until:
            self._again.clear()
        alike = self._again.get((delivery.message_id, delivery.body))
        return alike.pop(0) if alike else None

    async def _take_in(self) -> None:
        delay = _FIRST_DELAY_S
        while True:
            await self._some.wait()
            self._some.clear()
            try:
                await self._consume()
                await self._work_off()
            except EngineError as error:
                if self._inbox.keeper.alive:
                    log.warning("cannot take in messages of other programs: %s; trying again", error)
                    self._some.set()
                await asyncio.sleep(delay)
                delay = min(delay * 2, _MAX_DELAY_S)
            except Exception:
                log.exception("a fault of our own while messages were taken in; please report this")
                await asyncio.sleep(_MAX_DELAY_S)
                self._some.set()
            else:
                delay = _FIRST_DELAY_S

    async def _consume(self) -> None:
        if not self._consuming and self._inbox.keeper.alive:
            tag = self._inbox.enlist(self.put, self.changed)
            self._consuming = True
            try:
                await self._inbox.start(tag, self._topology.declare_intake(), PREFETCH)
            except EngineError:
                self._consuming = False
                raise

    async def _work_off(self) -> None:
        while self._came:
            batch = list(self._came)
            asked: list[tuple[_Message, NewExecution]] = []
            tickets: list[Ticket] = []
            for message in batch:
                found = None if message.buried else await self._read(message)
                if isinstance(found, Ticket):
                    tickets.append(found)
                elif found is not None:
                    asked.append((message, found))
            tickets += await self._enqueue(asked)
            await self._tickets.publish(tickets)
            self._done(batch)

    async def _enqueue(self, asked: list[tuple[_Message, NewExecution]]) -> list[Ticket]:
        """Put executions into the store and return their tickets; one that breaks it must not hold up the others for ever."""
        if not asked:
            return []
        executions = [execution for _, execution in asked]
        try:
            answers = await self._store.enqueue_many(executions)
        except EngineError:
            raise
        except Exception as error:
            if len(asked) > 1:
                return [ticket for one in asked for ticket in await self._enqueue([one])]
            log.exception("a message of another program cannot be stored; please report this")
            await self._bury(asked[0][0], f"cannot be stored: {type(error).__name__}: {error}")
            return []
        pairs = zip(executions, answers, strict=True)
        return tickets_for((new.topic, new.delay_ms) for new, answer in pairs if not answer.deduplicated)

    def _done(self, batch: list[_Message]) -> None:
        taken = set(batch)
        tags = [message.delivery.tag for message in self._came if message in taken]
        self._came = [message for message in self._came if message not in taken]
        self._inbox.ack(tags)  # none of those that came over a link that is gone

    async def _read(self, message: _Message) -> NewExecution | Ticket | None:
        delivery = message.delivery
        if delivery.kind == KIND:
            ticket = read_ticket(delivery.body)
            if ticket is not None:
                return ticket
        try:
            value = msgspec.json.decode(delivery.body)
            return to_execution(value, message.execution_id, 0, self._terms)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            reason = f"is not JSON: {error}"
        except NoJobError as error:
            reason = f"is no job: {error}"
        except RecursionError:
            reason = "is nested too deeply"
        await self._bury(message, reason)
        return None

    async def _bury(self, message: _Message, why: str) -> None:
        reason = f"a message in the queue “{self._topology.intake}” {why}"
        await self._store.bury_raw(message.delivery.body, reason)
        message.buried = True
        log.warning("%s; kept as a dead letter", reason)

    def _new_id(self, delivery: Delivery) -> str:
        if not delivery.message_id:
            return self._ids.new(time.time_ns() // 1_000_000)
        named = hashlib.sha256(f"{self._topology.intake}\0{delivery.message_id}".encode()).hexdigest()
        # Version 8, which carries no time: nobody must read one out of a digest.
        return f"{named[:8]}-{named[8:12]}-8{named[13:16]}-8{named[17:20]}-{named[20:32]}"
