"""Frames over a Unix stream socket between processes of this package: length-prefixed msgpack.

A frame is four bytes of length (big endian) and one message.
"""

from typing import Final, Generic, TypeVar

import msgspec

from netscript_workers.errors import SlotError

HEADER_BYTES: Final = 4
MAX_FRAME_BYTES: Final = 256 * 1024 * 1024

Received = TypeVar("Received")


def framed(body: bytes) -> bytes:
    """Put the length in front of an encoded message; raises `SlotError` when it is too large to travel."""
    if len(body) > MAX_FRAME_BYTES:
        raise SlotError(f"a message of {len(body)} bytes is over the limit of {MAX_FRAME_BYTES} bytes")
    return len(body).to_bytes(HEADER_BYTES, "big") + body


class FrameReader(Generic[Received]):
    """Puts frames together from the pieces a socket delivers, and decodes them."""

    __slots__ = ("_decode", "_held", "_missing")

    def __init__(self, decoder: msgspec.msgpack.Decoder[Received]) -> None:
        self._decode = decoder.decode
        self._held = bytearray()
        self._missing = 0  # bytes still to come before `_held` is worth looking at

    @property
    def missing(self) -> int:
        """How many bytes the frame under way still lacks (0: none is, or its length is not known yet)."""
        return self._missing

    def feed(self, data: bytes) -> list[Received]:
        """Take what arrived and return the messages it completes; raises `SlotError` for what is no message of ours."""
        size = len(data)
        if not self._held and size >= HEADER_BYTES:  # nearly always: one small frame, arrived whole
            length = int.from_bytes(data[:HEADER_BYTES], "big")
            if length + HEADER_BYTES == size:
                return [self._decoded(memoryview(data)[HEADER_BYTES:])]
        self._held += data
        if self._missing > size:
            self._missing -= size
            return []
        return self._take()

    def _take(self) -> list[Received]:
        held = self._held
        messages: list[Received] = []
        start = 0
        self._missing = 0
        with memoryview(held) as view:
            while len(held) - start >= HEADER_BYTES:
                length = int.from_bytes(view[start : start + HEADER_BYTES], "big")
                if length > MAX_FRAME_BYTES:
                    raise SlotError(f"a frame claims {length} bytes, over the limit of {MAX_FRAME_BYTES}")
                end = start + HEADER_BYTES + length
                if end > len(held):
                    self._missing = end - len(held)
                    break
                messages.append(self._decoded(view[start + HEADER_BYTES : end]))
                start = end
        del held[:start]
        return messages

    def _decoded(self, body: memoryview) -> Received:
        try:
            return self._decode(body)
        except msgspec.MsgspecError as error:
            raise SlotError(f"a frame of {len(body)} bytes is none of our messages: {error}") from None
