"""One live connection to RabbitMQ with one channel. When it breaks it stays broken: whoever owns it makes a new one.

Every wait has a bound; a wait that is cancelled leaves the link whole, and its answer is dropped when it comes.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

import pamqp.body
import pamqp.frame
import pamqp.header
import pamqp.heartbeat
from pamqp import commands

from netscript_workers.engines.amqp.address import Address
from netscript_workers.engines.amqp.confirms import Confirms
from netscript_workers.engines.amqp.framing import Framing
from netscript_workers.engines.amqp.messages import Contents, Delivery, Outgoing, Writer
from netscript_workers.errors import EngineError, EngineFormatError, EngineUnavailableError

CONNECT_BOUND_S: Final = 10.0
ANSWER_BOUND_S: Final = 10.0
CLOSE_BOUND_S: Final = 2.0
CHANNEL: Final = 1
_PRECONDITION_FAILED: Final = 406
_REFUSALS: Final = (403, 530)  # a wrong login, or no such vhost


class Link:
    """Between `open` and `close`. The callbacks come from the loop and must not raise; `on_cancelled` gets a consumer's tag."""

    def __init__(
        self,
        address: Address,
        name: str,
        on_delivery: Callable[[Delivery], None],
        on_cancelled: Callable[[str], None],
    ) -> None:
        """Prepare; `name` is what RabbitMQ lists the connection under."""
        self._address = address
        self._name = name
        self._on_delivery = on_delivery
        self._on_cancelled = on_cancelled
        self._framing = Framing(self._take, self._on_lost)
        self._replies: dict[int, deque[asyncio.Future[Any]]] = {0: deque(), CHANNEL: deque()}
        self._contents = Contents()
        self._confirms = Confirms()
        self._writer = Writer(CHANNEL)
        self._unroutable: set[str] = set()
        self._beat: asyncio.TimerHandle | None = None
        self._error: EngineError | None = None
        self.lost = asyncio.Event()
        self.blocked: str | None = None
        """Why RabbitMQ takes no messages (its alarm's words), None when it does."""

    # ------------------------------------------------------------------ life

    async def open(self) -> None:
        """Connect; raises `EngineUnavailableError`, `EngineFormatError`. Takes at most `CONNECT_BOUND_S`."""
        try:
            async with asyncio.timeout(CONNECT_BOUND_S):
                await self._connect()
        except EngineError as error:
            self._fail(error)
            raise EngineUnavailableError(str(error)) from error
        except TimeoutError as error:
            reason = (
                f"cannot reach {self._address.place}: no answer within {CONNECT_BOUND_S:.0f} s. {_WHAT_TO_DO}"
            )
            self._fail(EngineError(reason))
            raise EngineUnavailableError(reason) from error
        except OSError as error:
            reason = f"cannot reach {self._address.place}: {error.strerror or error}. {_WHAT_TO_DO}"
            self._fail(EngineError(reason))
            raise EngineUnavailableError(reason) from error
        except BaseException:
            self._fail(EngineError(f"the connection to {self._address.place} was given up while it was made"))
            raise

    async def _connect(self) -> None:
        address, loop = self._address, asyncio.get_running_loop()
        context = address.ssl_context()
        start = self._expect(0)
        await loop.create_connection(lambda: self._framing, address.host, address.port, ssl=context)
        self._write(pamqp.header.ProtocolHeader().marshal())
        await start
        login = f"\0{address.user}\0{address.password}"
        tune = self._expect(0)
        self._send(0, commands.Connection.StartOk(_properties(self._name), "PLAIN", login))
        limits: commands.Connection.Tune = await tune
        beat = min(address.heartbeat_s, limits.heartbeat or address.heartbeat_s)
        opened = self._expect(0)
        tuned = commands.Connection.TuneOk(limits.channel_max or 0, limits.frame_max or 0, beat)
        self._send(0, tuned, commands.Connection.Open(address.vhost))
        await opened
        self._beat = loop.call_later(beat / 2, self._tick, beat)
        await self.call(commands.Channel.Open(), commands.Confirm.Select())

    async def close(self) -> None:
        """Say goodbye, within `CLOSE_BOUND_S`, and let go of the socket. Idempotent."""
        transport = self._framing.transport
        if self._error is None and transport is not None:
            goodbye = self._expect(0)
            self._send(0, commands.Connection.Close(200, "closed", 0, 0))
            with contextlib.suppress(TimeoutError, EngineError):  # it is gone either way
                await asyncio.wait_for(goodbye, CLOSE_BOUND_S)
        self._fail(EngineError("the connection to RabbitMQ is closed"))
        await asyncio.sleep(0)  # the transport lets go of its socket in the loop's next round

    def check(self) -> None:
        """Raise `EngineError` when the link is broken."""
        if self._error is not None:
            raise type(self._error)(str(self._error))

    # ------------------------------------------------------------------ verbs

    async def call(self, *frames: Any) -> list[Any]:
        """Send requests at once and return their answers in order; raises `EngineError`."""
        self.check()
        answers = [self._expect(CHANNEL) for _ in frames]
        self._send(CHANNEL, *frames)
        try:
            async with asyncio.timeout(ANSWER_BOUND_S):
                return [await answer for answer in answers]
        except TimeoutError:
            raise self._silent() from None

    async def publish(self, messages: Sequence[Outgoing]) -> set[str]:
        """Publish, wait for every confirm, and return the names of queues that are not there; raises `EngineError`."""
        self.check()
        self.check_alarm()
        batch = self._confirms.expect(len(messages))
        self._write(b"".join([self._writer.write(message) for message in messages]))
        try:
            async with asyncio.timeout(ANSWER_BOUND_S):
                refused = await batch.done
        except TimeoutError:
            raise self._silent() from None
        if refused:
            raise EngineError(f"{self._address.place} refused {refused} of {len(messages)} messages")
        missing = self._unroutable.intersection(message.queue for message in messages)
        self._unroutable -= missing
        return missing

    def announce(self, messages: Sequence[Outgoing]) -> None:
        """Publish without waiting: whether they arrive is not told. Nothing happens on a broken or blocked link."""
        if self._error is None and self.blocked is None:
            self._confirms.expect(len(messages))
            self._write(b"".join([self._writer.write(message) for message in messages]))

    def check_alarm(self) -> None:
        """Raise `EngineError` while an alarm keeps RabbitMQ from taking messages."""
        if self.blocked is not None:
            raise self._alarm()

    def send(self, *frames: Any) -> None:
        """Send what has no answer (acks, cancels); nothing happens on a broken link."""
        if self._error is None:
            self._send(CHANNEL, *frames)

    # ------------------------------------------------------------------ frames

    def _expect(self, channel: int) -> "asyncio.Future[Any]":
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._replies[channel].append(answer)
        if self._error is not None:
            answer.set_exception(self._error)
        return answer

    def _send(self, channel: int, *frames: Any) -> None:
        self._write(b"".join(pamqp.frame.marshal(frame, channel) for frame in frames))

    def _write(self, data: bytes) -> None:
        if self._framing.transport is not None:
            self._framing.transport.write(data)

    def _take(self, channel: int, frame: Any) -> None:
        match frame:
            case pamqp.header.ContentHeader() | pamqp.body.ContentBody():
                whole = self._contents.take(frame)
                if isinstance(whole, Delivery):
                    self._on_delivery(whole)
                elif whole is not None:
                    self._unroutable.add(whole.routing_key or "")
            case commands.Basic.Deliver() | commands.Basic.Return():
                self._contents.begin(frame)
            case commands.Basic.Ack() | commands.Basic.Nack():
                taken = isinstance(frame, commands.Basic.Ack)
                self._confirms.hear(frame.delivery_tag or 0, multiple=frame.multiple, taken=taken)
            case commands.Basic.Cancel():
                self._on_cancelled(frame.consumer_tag or "")
            case commands.Connection.Blocked() | commands.Connection.Unblocked():
                self._hear_alarm(frame)
            case commands.Connection.Close() | commands.Channel.Close():
                self._fail(self._explained(frame))
            case _:
                if not isinstance(frame, pamqp.heartbeat.Heartbeat):
                    self._answer(channel, frame)

    def _hear_alarm(self, frame: commands.Connection.Blocked | commands.Connection.Unblocked) -> None:
        if isinstance(frame, commands.Connection.Unblocked):
            self.blocked = None
            return
        self.blocked = frame.reason or "no reason given"
        self._confirms.fail(self._alarm())

    def _answer(self, channel: int, frame: Any) -> None:
        replies = self._replies.get(channel)
        if not replies:
            self._fail(EngineError(f"{self._address.place} sent an answer to nothing: {frame.name}"))
            return
        answer = replies.popleft()
        if not answer.done():
            answer.set_result(frame)

    # ------------------------------------------------------------------ ends

    def _tick(self, beat: float) -> None:
        """Show that we live, and look whether RabbitMQ does."""
        loop = asyncio.get_running_loop()
        silence = loop.time() - self._framing.heard_at
        if silence > 2 * beat:
            self._fail(EngineError(f"{self._address.place} has been silent for {silence:.0f} s"))
            return
        self._write(pamqp.frame.marshal(pamqp.heartbeat.Heartbeat(), 0))
        self._beat = loop.call_later(beat / 2, self._tick, beat)

    def _on_lost(self, reason: BaseException | None) -> None:
        why = f": {reason}" if reason is not None else ""
        self._fail(EngineError(f"{self._address.place} closed the connection{why}"))

    def _silent(self) -> EngineError:
        error = EngineError(f"{self._address.place} did not answer within {ANSWER_BOUND_S:.0f} s")
        self._fail(error)
        return error

    def _alarm(self) -> EngineError:
        return EngineError(
            f"{self._address.place} takes no messages: alarm “{self.blocked}”. Free memory or disk there, "
            "or raise its limits (vm_memory_high_watermark, disk_free_limit); it goes on by itself then."
        )

    def _explained(self, frame: Any) -> EngineError:
        words = f"{self._address.place} ended the connection: {frame.reply_code} {frame.reply_text}"
        if frame.reply_code == _PRECONDITION_FAILED and "inequivalent" in (frame.reply_text or ""):
            return EngineFormatError(
                f"{words}. A queue of that name was made with other arguments: delete it there (its messages only wake "
                "workers, what they stand for is in the store of records), choose another queue_name, or the "
                "queue_type it was made with."
            )
        return EngineError(f"{words}. {_WHAT_TO_DO}" if frame.reply_code in _REFUSALS else words)

    def _fail(self, error: EngineError) -> None:
        if self._error is not None:
            return
        self._error = error
        if self._beat is not None:
            self._beat.cancel()
        if self._framing.transport is not None:
            self._framing.transport.abort()
        for replies in self._replies.values():
            for answer in replies:
                if not answer.done():
                    answer.set_exception(error)
                    answer.exception()  # whoever waited may be gone: nobody needs to hear of it then
            replies.clear()
        self._confirms.fail(error)
        self.lost.set()


_WHAT_TO_DO: Final = (
    "Start it, or mend connections.amqp_url (AMQP_URL): host, port, vhost, user and password."
)


def _properties(name: str) -> dict[str, Any]:
    return {
        "product": "netscript-workers",
        "connection_name": name,
        "capabilities": {
            "publisher_confirms": True,
            "basic.nack": True,
            "consumer_cancel_notify": True,
            "connection.blocked": True,
            "authentication_failure_close": True,
        },
    }
