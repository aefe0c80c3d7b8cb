"""What a slot reads between two runs: a word about a run that it has still to take is kept for it."""

import contextlib
import socket

from netscript_workers.runners.messages import Cancel, frame
from netscript_workers.runners.slot_inbox import SlotInbox


def test_a_cancellation_of_a_run_still_to_be_taken_is_kept_while_an_earlier_one_is_looked_after():
    ours, theirs = socket.socketpair()
    with contextlib.closing(ours), contextlib.closing(theirs):
        inbox = SlotInbox(theirs, None)
        ours.sendall(frame(Cancel(7)))
        assert not inbox.holds_cancel(6)
        assert inbox.cancelled == 7
        ours.sendall(frame(Cancel(8)) + frame(Cancel(9)))
        assert inbox.holds_cancel(8)
        assert inbox.cancelled == 9
        assert not inbox.holds_cancel(8)
