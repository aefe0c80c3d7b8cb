"""The queues this engine has in RabbitMQ, their names and arguments. Nothing else is made there: no exchange, no binding.

- `<name>`: where foreign programs put jobs, and where long delays come back. `<name>` is the setting `queue_name`.
- `<name>.ready.<topic>`: tickets that say “there may be work in this topic”.
- `<name>.due.<ms>.<topic>`: tickets on the last stretch of a delay; they fall into the topic's ready queue.
- `<name>.delay.<ms>`: tickets on a longer stretch; they fall into `<name>`, and what is left of the delay is waited out anew.

Every message of a delay queue waits equally long there, so that none stands behind one that is due later.
"""

import hashlib
from typing import Any, Final
from urllib.parse import quote

from pamqp import commands

from netscript_workers.engines.amqp.address import QueueType

READY_KEPT: Final = 10_000
"""How many tickets a ready queue holds; beyond that the oldest go. One is enough to have all work of a topic found."""

IDLE_MS: Final = 600_000
"""How long a delay queue stays after its last message could have left it."""

LAST_STRETCH_MS: Final = 128
STEP_MS: Final = 8
LONGEST_MS: Final = 1 << 31
_LEADING_BITS: Final = 4
_LONGEST_TOPIC: Final = 96


class Stretch:
    """A part of a delay: `ms` in a queue of its own, and `rest` ms after that."""

    __slots__ = ("ms", "rest")

    def __init__(self, delay_ms: int) -> None:
        """Take the first stretch of `delay_ms`: its four leading bits, so that there are few such queues.

        The last stretch is rounded up to the next 8 ms: a ticket is never early.
        """
        if delay_ms < LAST_STRETCH_MS:
            self.ms = max(STEP_MS, -(-delay_ms // STEP_MS) * STEP_MS)
            self.rest = 0
            return
        capped = min(delay_ms, LONGEST_MS)
        low = capped.bit_length() - _LEADING_BITS
        self.ms = (capped >> low) << low
        self.rest = delay_ms - self.ms


class Topology:
    """Names and declares the queues of one `queue_name`."""

    def __init__(self, name: str, queue_type: QueueType) -> None:
        """Declare durable queues of `queue_type`; delay queues are classic always, since they live for their messages only."""
        self.intake = name
        self._name = name
        self._type = queue_type

    def ready(self, topic: str) -> str:
        """Return the name of the ready queue of `topic`."""
        return f"{self._name}.ready.{_plain(topic)}"

    def delay(self, topic: str, stretch: Stretch) -> str:
        """Return the name of the queue in which tickets of `topic` wait out `stretch`."""
        if stretch.rest:
            return f"{self._name}.delay.{stretch.ms}"
        return f"{self._name}.due.{stretch.ms}.{_plain(topic)}"

    def declare_intake(self) -> commands.Queue.Declare:
        """Return what makes the queue for foreign programs, where it is missing."""
        return self._durable(self.intake, {})

    def declare_ready(self, topic: str) -> commands.Queue.Declare:
        """Return what makes the ready queue of `topic`, where it is missing."""
        return self._durable(self.ready(topic), {"x-max-length": READY_KEPT})

    def declare_delay(self, topic: str, stretch: Stretch) -> commands.Queue.Declare:
        """Return what makes the queue that `delay` names, where it is missing; it goes by itself once it is not used."""
        target = self.intake if stretch.rest else self.ready(topic)
        arguments: dict[str, Any] = {
            "x-queue-type": QueueType.CLASSIC.value,
            "x-message-ttl": stretch.ms,
            "x-expires": stretch.ms + IDLE_MS,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": target,
        }
        return commands.Queue.Declare(queue=self.delay(topic, stretch), durable=True, arguments=arguments)

    def _durable(self, name: str, arguments: dict[str, Any]) -> commands.Queue.Declare:
        arguments["x-queue-type"] = self._type.value
        return commands.Queue.Declare(queue=name, durable=True, arguments=arguments)


def _plain(topic: str) -> str:
    """Return `topic` as a part of a queue's name: as it is where that may be, else quoted, or its hash when too long."""
    text = quote(topic, safe="").replace("%", "#")
    return (
        text
        if len(text) <= _LONGEST_TOPIC
        else f"{text[:60]}#{hashlib.sha256(topic.encode()).hexdigest()[:32]}"
    )
