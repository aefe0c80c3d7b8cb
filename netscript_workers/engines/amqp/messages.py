"""What goes over a link: deliveries as they come, messages as they go, and the assembling of both from frames."""

from typing import Final

import msgspec
import pamqp.body
import pamqp.frame
import pamqp.header
from pamqp import commands

_PERSISTENT: Final = 2
_FRAME_MAX: Final = 131_072 - 8  # RabbitMQ's own limit, less a frame's head and end
_CACHED: Final = 1024


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message that came. `tag` names it on its link until it is acknowledged; `kind` is its type property.

    `redelivered`: it was delivered before, to us or to another process, and not acknowledged.
    """

    consumer: str
    tag: int
    kind: str | None
    message_id: str | None
    body: bytes
    redelivered: bool = False


class Outgoing(msgspec.Struct, frozen=True):
    """One message to go to the queue named `queue`, through RabbitMQ's default exchange."""

    queue: str
    body: bytes
    kind: str | None = None


class Contents:
    """Puts deliveries (and what is returned as unroutable) together from the frames of one channel."""

    def __init__(self) -> None:
        """Expect a method."""
        self._method: commands.Basic.Deliver | commands.Basic.Return | None = None
        self._header: pamqp.header.ContentHeader | None = None
        self._body = bytearray()

    def begin(self, method: commands.Basic.Deliver | commands.Basic.Return) -> None:
        """Take what says that a message follows."""
        self._method, self._header = method, None
        self._body.clear()

    def take(
        self, frame: pamqp.header.ContentHeader | pamqp.body.ContentBody
    ) -> Delivery | commands.Basic.Return | None:
        """Take a part of it; return the whole once it is complete."""
        if isinstance(frame, pamqp.header.ContentHeader):
            self._header = frame
        else:
            self._body += frame.value
        header, method = self._header, self._method
        if header is None or method is None or len(self._body) < header.body_size:
            return None
        self._method = self._header = None
        if isinstance(method, commands.Basic.Return):
            return method
        return Delivery(
            consumer=method.consumer_tag or "",
            tag=method.delivery_tag or 0,
            kind=header.properties.message_type,
            message_id=header.properties.message_id,
            body=bytes(self._body),
            redelivered=bool(method.redelivered),
        )


class Writer:
    """Turns outgoing messages of one channel into bytes; short ones that recur are built once."""

    def __init__(self, channel: int) -> None:
        """Write for `channel`."""
        self._channel = channel
        self._built: dict[Outgoing, bytes] = {}

    def write(self, message: Outgoing) -> bytes:
        """Return the frames of a persistent, mandatory publish."""
        built = self._built.get(message)
        if built is None:
            built = self._build(message)
            if len(self._built) >= _CACHED:
                self._built.clear()
            self._built[message] = built
        return built

    def _build(self, message: Outgoing) -> bytes:
        method = commands.Basic.Publish(exchange="", routing_key=message.queue, mandatory=True)
        properties = commands.Basic.Properties(
            content_type="application/json", delivery_mode=_PERSISTENT, message_type=message.kind
        )
        header = pamqp.header.ContentHeader(body_size=len(message.body), properties=properties)
        chunks = [message.body[at : at + _FRAME_MAX] for at in range(0, len(message.body), _FRAME_MAX)]
        frames = [method, header, *(pamqp.body.ContentBody(chunk) for chunk in chunks)]
        return b"".join(pamqp.frame.marshal(frame, self._channel) for frame in frames)
