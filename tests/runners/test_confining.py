"""What a slot that cannot be confined answers to its run."""

import errno
import os
import socket
import sys

import pytest

from netscript_workers.domain.outcome import Cause
from netscript_workers.runners.confining import refuse
from netscript_workers.runners.messages import FROM_SLOT, FrameReader

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="slots need Linux or macOS")


def answered(number: int):
    ours, theirs = socket.socketpair()
    with ours:
        refuse(theirs.detach(), OSError(number, os.strerror(number)))
        (done,) = FrameReader(FROM_SLOT).feed(ours.recv(65_536))
    return done.outcome


def test_what_this_host_cannot_do_is_refused_for_good():
    outcome = answered(errno.EPERM)
    assert (outcome.cause, outcome.retry) == (Cause.PERMISSION_DENIED, False)
    assert "workers doctor" in outcome.error


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.ENOSPC, errno.EMFILE])
def test_what_this_host_is_short_of_is_worth_another_attempt(number):
    outcome = answered(number)
    assert (outcome.cause, outcome.retry) == (Cause.FAILURE, True)
