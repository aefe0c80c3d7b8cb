"""How a slot is held to its permissions and limits before it runs anything: it carries out what the sandbox put into words."""

import errno
import importlib
import socket
from collections.abc import Iterable
from typing import Final

from netscript_workers.domain.command import Confinement
from netscript_workers.domain.outcome import Cause, failed
from netscript_workers.runners.messages import Done, frame

_PASSING: Final = frozenset({errno.EAGAIN, errno.ENOMEM, errno.ENOSPC, errno.EMFILE, errno.ENFILE})


def prepare(modules: Iterable[str]) -> None:
    """Import what confinements name, once, before the first fork."""
    for name in modules:
        module = importlib.import_module(name)
        ready = getattr(module, "prepare", None)
        if ready is not None:
            ready()


def confine(confinement: Confinement) -> None:
    """Hold this process, single-threaded, to `confinement`; returns in the confined one, which may be another process.

    Raises `OSError` when the kernel refuses a step.
    """
    importlib.import_module(confinement.module).apply(confinement.rules)


def refuse(connection: int, error: OSError) -> None:
    """Answer the run that is on its way to this slot, which could not be confined, so that nothing of it begins.

    What was lacking for a moment only (processes, memory, descriptors) is worth another attempt.
    """
    what = f"the process of the job could not be confined: {error}"
    if error.errno in _PASSING:
        outcome = failed(f"{what}; this host was short of it")
    else:
        advice = "`workers doctor` shows what this host can enforce"
        outcome = failed(f"{what}; {advice}", Cause.PERMISSION_DENIED, retry=False)
    answer = Done(outcome, 0, halted=True)
    with socket.socket(fileno=connection) as sending:
        sending.sendall(frame(answer))
