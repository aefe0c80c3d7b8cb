"""Frames arrive whole, however the socket cuts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netscript_workers.errors import SlotError
from netscript_workers.runners.messages import FROM_ZYGOTE, Exited, FrameReader, Ready, Started, frame

MESSAGES = [Ready({"a": "b" * 300}, None), Started(1, 2), Exited(1, -9, 4096, 12), Started(2, 3)]


@given(st.lists(st.integers(1, 400)))
def test_it_does_not_matter_where_frames_are_cut(sizes: list[int]):
    data = b"".join(frame(message) for message in MESSAGES)
    reader = FrameReader(FROM_ZYGOTE)
    received = []
    for size in sizes:
        received += reader.feed(data[:size])
        data = data[size:]
    received += reader.feed(data)
    assert received == MESSAGES


def test_what_is_no_message_is_refused():
    with pytest.raises(SlotError, match="none of our messages"):
        FrameReader(FROM_ZYGOTE).feed(b"\0\0\0\1\xff")


def test_a_frame_of_absurd_length_is_refused_before_it_is_held():
    with pytest.raises(SlotError, match="over the limit"):
        FrameReader(FROM_ZYGOTE).feed(b"\xff\xff\xff\xff\0")
