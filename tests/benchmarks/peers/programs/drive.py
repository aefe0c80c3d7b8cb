"""What the measuring process starts: `python drive.py with_celery prepare|enqueue N|probe N|worker`.

Each file `with_*.py` offers the same four functions, async or not; they run in the peer's own environment:

    prepare()         make tables, groups and queues, once
    enqueue(count)    enqueue so many no-op jobs as fast as the peer's documented ways allow
    probe(latencies)  open a connection, then call `latencies` with a function that enqueues one job
    worker()          the argv of the peer's own worker command, which replaces this process
"""

import asyncio
import importlib
import inspect
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

PAUSE_S = 0.03
BOUND_S = 20.0


class Probe:
    """Enqueues one job at a time to an idle worker and waits for its mark; `sent` holds the times before each call."""

    def __init__(self, samples: int) -> None:
        self.samples = samples
        self.sent: list[int] = []

    def latencies(self, send: Callable[[], object]) -> None:
        for _ in range(self.samples):
            time.sleep(PAUSE_S)
            before = _marked()
            self.sent.append(time.time_ns())
            send()
            deadline = time.monotonic() + BOUND_S
            while _marked() == before:
                _check(deadline)
                time.sleep(0.002)

    async def latencies_async(self, send: Callable[[], Any]) -> None:
        for _ in range(self.samples):
            await asyncio.sleep(PAUSE_S)
            before = _marked()
            self.sent.append(time.time_ns())
            await send()
            deadline = time.monotonic() + BOUND_S
            while _marked() == before:
                _check(deadline)
                await asyncio.sleep(0.002)


def _marked() -> int:
    return os.stat(os.environ["PEER_MARKS"]).st_size


def _check(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise SystemExit(f"a job that was enqueued to an idle worker did not start within {BOUND_S:.0f} s")


def _done(outcome: Any) -> Any:
    return asyncio.run(outcome) if inspect.iscoroutine(outcome) else outcome


def main(program: str, verb: str, *numbers: str) -> None:
    peer = importlib.import_module(program)
    if verb == "probe":
        probe = Probe(int(numbers[0]))
        _done(peer.probe(probe))
        print(json.dumps(probe.sent))  # noqa: T201 - the answer to who started it
    elif verb == "worker":
        argv = peer.worker()
        os.execvp(argv[0], argv)
    else:
        _done(getattr(peer, verb)(*map(int, numbers)))
    if getattr(peer, "CRASHES_AT_EXIT", False):
        sys.stdout.flush()
        os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
