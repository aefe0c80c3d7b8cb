"""Bytes to AMQP frames: the transport's side of a link."""

import asyncio
import struct
from collections.abc import Callable
from typing import Any, Final, cast

import pamqp.exceptions
import pamqp.frame

_HEAD: Final = struct.Struct(">BHI")
_END: Final = 0xCE
_MAX_FRAME: Final = 1 << 26


class FrameError(Exception):
    """What came is no AMQP."""


class Framing(asyncio.Protocol):
    """Cuts what arrives into frames and hands them to `on_frame`; `on_lost` hears of the end, once."""

    def __init__(
        self, on_frame: Callable[[int, Any], None], on_lost: Callable[[BaseException | None], None]
    ) -> None:
        """Hand frames on from the loop's own calls; neither callback may raise."""
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._buffer = bytearray()
        self.transport: asyncio.Transport | None = None
        self.heard_at = 0.0
        """When bytes arrived last, by the loop's clock."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self.heard_at = asyncio.get_running_loop().time()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the link."""
        self._on_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Hand on every frame that is complete."""
        self.heard_at = asyncio.get_running_loop().time()
        buffer = self._buffer
        buffer += data
        try:
            while (length := _whole(buffer)) is not None:
                _, channel, frame = pamqp.frame.unmarshal(bytes(buffer[:length]))
                del buffer[:length]
                self._on_frame(channel, frame)
        except (FrameError, pamqp.exceptions.PAMQPException, ValueError, struct.error) as error:
            self._on_lost(FrameError(f"what it sent is no AMQP 0-9-1: {error}"))
            if self.transport is not None:
                self.transport.abort()


def _whole(buffer: bytearray) -> int | None:
    """Return how long the first frame is; None while it is not complete."""
    if len(buffer) < _HEAD.size:
        return None
    if buffer.startswith(b"AMQP"):
        raise FrameError("it speaks another version of the protocol")
    _, _, size = _HEAD.unpack_from(buffer)
    if size > _MAX_FRAME:
        raise FrameError(f"a frame of {size} bytes")
    whole = _HEAD.size + size + 1
    if len(buffer) < whole:
        return None
    if buffer[whole - 1] != _END:
        raise FrameError("a frame without its end mark")
    return whole
