"""What is taken back from a slot while it takes runs itself: each run is with one of the two, and it is known with which."""

import asyncio
import contextlib
import os
import random
import socket
import struct
import sys

import pytest

from contracts.runners import execution
from netscript_workers.runners.ahead import Ahead, Waiting, take

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="runs are handed ahead on Linux only")
ROUNDS = 3_000
SERIAL = struct.Struct("<I")


@contextlib.contextmanager
def slot_that_takes(ahead: Ahead):
    """Fork a process that takes as fast as it can and tells the serial of each run it took."""
    reading, writing = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        reading.close()
        theirs = socket.socket(fileno=os.dup(ahead.fileno()))
        while True:
            data = take(theirs)
            if data is not None:
                writing.sendall(data)
    writing.close()
    reading.settimeout(20)
    try:
        yield reading
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        reading.close()


async def test_every_run_is_either_taken_back_or_taken_by_the_slot_in_its_order():
    ahead, moments, serial = Ahead(), random.Random(3), 0
    loop = asyncio.get_running_loop()
    with contextlib.closing(ahead), slot_that_takes(ahead) as told:
        for _ in range(ROUNDS):
            given = []
            for _ in range(6):
                serial += 1
                data = SERIAL.pack(serial)
                given.append(
                    Waiting(execution("nothing"), serial, None, lambda: 0, loop.create_future(), data)
                )
                assert ahead.put(given[-1])
            for _ in range(moments.randrange(60)):
                pass
            back = [run.serial for run in ahead.take_back()]
            taken = [run.serial for run in given if run.serial not in back]
            heard = b""
            while len(heard) < SERIAL.size * len(taken):
                heard += told.recv(SERIAL.size * len(taken) - len(heard))
            assert [one for (one,) in SERIAL.iter_unpack(heard)] == taken
            while ahead.advance() is not None:  # the slot has done with them
                pass
