"""All attacks, tried by a job's process: forked, become its user, confined as a slot is, and free to do what it likes."""

import asyncio
import json
import os
import sys

import msgspec

from netscript_workers.domain.permissions import Permissions
from netscript_workers.domain.target import Concept, Source, Target
from netscript_workers.sandbox import enter
from netscript_workers.sandbox.kernel_sandbox import KernelSandbox, Strictness
from netscript_workers.sandbox.probe import probe
from support import attacks, ground
from support.confined import PATH, become


def tried_by(
    user: int, place: ground.Ground, permissions: Permissions | None, *, without_rooms: bool
) -> dict[str, str]:
    """Return what stopped each attack of a job of `user`, or nothing; None for `permissions`: it is not confined."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        os.dup2(writing, 1)
        os.close(writing)
        status = 1
        try:
            "localhost".encode(
                "idna"
            )  # imported now: that user may not be able to read this interpreter's library
            if user != os.getuid():
                become(user)
            status = _as_source(place, permissions, without_rooms=without_rooms)
        except BaseException as error:  # the test fails with it
            os.write(2, repr(error).encode())
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        told = file.read()
    _, ended = os.waitpid(pid, 0)
    assert ended == 0, told
    return json.loads(told)


def _as_source(place: ground.Ground, permissions: Permissions | None, *, without_rooms: bool) -> int:
    host = probe()
    if without_rooms:
        host = msgspec.structs.replace(host, rooms_missing="switched off by the test")
    rules = None
    if permissions is not None:
        target = Target(
            id="hostile",
            concept=Concept.JOB,
            source=Source.CONFIG,
            file="config.toml",
            path=place.script,
            permissions=permissions,
        )
        sandbox = KernelSandbox(
            Strictness.REQUIRE, [place.at["queue"], place.at["queue"] + "-wal"], host=host
        )
        rules = asyncio.run(sandbox.confine_job(target, place.work, {"PATH": PATH})).spec.confinement.rules
    sys.executable = ground.PYTHON  # an ordinary user may not be able to start this one
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            os.chdir(place.work)
            if rules is not None:
                enter.apply(rules)
            at = {**place.at, "parent": os.getppid()}
            os.write(1, json.dumps({name: attacks.tried(name, at) for name in attacks.ATTACKS}).encode())
        except BaseException as error:
            os.write(2, repr(error).encode())
            os._exit(1)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
