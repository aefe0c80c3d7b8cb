"""How a daemon is, as a probe asks for it."""

from collections.abc import Callable

import msgspec

from netscript_workers.telemetry.listener import Answer, Pages

JSON = "application/json"


class Health(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`live`: its loops run. `ready`: it consumes. `reason` is why not, `degraded` what it cannot do now; None for nothing."""

    live: bool
    ready: bool
    role: str
    pid: int
    reason: str | None = None
    degraded: str | None = None


def pages(look: Callable[[], Health]) -> Pages:
    """Return the answers to the three probes.

    A hung loop answers none of them in time, which is what a probe takes for dead.
    """

    async def livez() -> Answer:
        now = look()
        return Answer(200, b"ok\n") if now.live else Answer(503, f"{now.reason or 'broken'}\n".encode())

    async def readyz() -> Answer:
        now = look()
        return Answer(200, b"ok\n") if now.ready else Answer(503, f"{now.reason or 'not ready'}\n".encode())

    async def healthz() -> Answer:
        now = look()
        return Answer(200 if now.live else 503, msgspec.json.encode(now) + b"\n", JSON)

    return {"/livez": livez, "/readyz": readyz, "/healthz": healthz}
