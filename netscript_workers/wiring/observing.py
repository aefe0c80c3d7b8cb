"""What a daemon shows of itself: the probes on a local socket, and with `metrics.listen` metrics and probes over HTTP."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING, Final

from netscript_workers import config
from netscript_workers.errors import EngineError
from netscript_workers.telemetry import local
from netscript_workers.telemetry.health import Health, pages
from netscript_workers.telemetry.listener import Answer, Listener, tcp
from netscript_workers.telemetry.metrics import CONTENT_TYPE, QueueView, Snapshot, exposition
from netscript_workers.telemetry.tally import Tally
from netscript_workers.worker.faults import Faults
from netscript_workers.worker.outage import Outages

if TYPE_CHECKING:
    from netscript_workers.domain.execution import Execution
    from netscript_workers.domain.settlement import Settlement
    from netscript_workers.ports.engine import Engine
    from netscript_workers.wiring.worker import WorkerAssembly

QUEUE_KEPT_S: Final = 5.0
QUEUE_BOUND_S: Final = 2.0
_STOP_MS: Final = 2_000
_CLAIM: Final = "claim work"

log = logging.getLogger("netscript_workers.daemon")


class Observatory:
    """Looks at one daemon. `watch` gives it the worker once there is one; until then it is live and not ready."""

    def __init__(self, settings: config.Settings, role: str, *, spread: int = 1) -> None:
        """Listen nowhere yet; `spread` is how many ports from metrics.listen on may be tried (processes of one supervisor)."""
        self._spread = spread
        self._settings = settings
        self._role = role
        self._started_at = time.time_ns() // 1_000_000
        self._assembly: WorkerAssembly | None = None
        self._engine: Engine | None = None
        self._parts: tuple[Outages, Faults] | None = None
        self._tally: Tally | None = None
        self._queue: tuple[float, QueueView | None] = (float("-inf"), None)
        self._looking = asyncio.Lock()
        self.lag_ms: Callable[[], float | None] = _no_lag
        """How late the scheduler's last tick was; set by whoever has a scheduler."""

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        """Listen for the time of a `with`; raises `ListenError` when metrics.listen cannot be had."""
        probes = pages(self.health)
        listeners: list[Listener] = []
        if local.available():
            family = family_of(self._settings)
            listeners.append(Listener("local probes", probes, partial(local.bind, family, os.getpid())))
        listen = self._settings.metrics.listen
        if listen is not None:
            self._tally = Tally()
            all_pages = {**probes, "/metrics": self._metrics}
            listeners.append(Listener("metrics", all_pages, partial(tcp, listen, self._spread)))
        try:
            for listener in listeners:
                await listener.start()
                if listener.address:
                    log.info("metrics and probes are on http://%s", listener.address)
            yield
        finally:
            for listener in listeners:
                await listener.stop(_STOP_MS)

    def watch(self, engine: "Engine", assembly: "WorkerAssembly") -> None:
        """Look at `assembly` from now on, and count its runs if anybody may ask for metrics."""
        self._engine, self._assembly = engine, assembly
        self._parts = assembly.outages, assembly.faults
        if self._tally is not None:
            count, tally = assembly.pace.observe, self._tally.observe

            def observe(execution: "Execution", settlement: "Settlement") -> None:
                count(execution, settlement)
                tally(execution, settlement)

            assembly.worker.observe = assembly.leases.observe = observe

    def watch_scheduler(
        self, engine: "Engine", outages: Outages, faults: Faults, lag_ms: Callable[[], float | None]
    ) -> None:
        """Look at a daemon that only schedules from now on."""
        self._engine, self._parts, self.lag_ms = engine, (outages, faults), lag_ms

    def health(self) -> Health:
        """Say how the daemon is now."""
        live, reason, degraded = True, None, None
        assembly, parts = self._assembly, self._parts
        if parts is None:
            reason = "starting"
        else:
            outages, faults = parts
            degraded = outages.degraded
            if faults.fault is not None:
                live, reason = False, "a part of it broke; see its log"
            elif assembly is not None and not assembly.worker.claiming:
                reason = "it claims nothing: starting, paused or draining"
            elif outages.fails_at(_CLAIM) or (assembly is None and degraded is not None):
                reason = f"the queue is away: {degraded}"
        return Health(
            live=live,
            ready=reason is None,
            role=self._role,
            pid=os.getpid(),
            reason=reason,
            degraded=degraded,
        )

    async def _metrics(self) -> Answer:
        assembly, tally = self._assembly, self._tally
        outages = self._parts[0] if self._parts is not None else None
        queue = await self._queue_view()
        health = self.health()
        now = Snapshot(
            version=metadata.version("netscript-workers"),
            role=self._role,
            started_at=self._started_at,
            slots_total=assembly.worker.lanes.size if assembly else 0,
            slots_busy=assembly.worker.lanes.busy if assembly else 0,
            slots=assembly.slots() if assembly else (),
            ready=health.ready,
            degraded=health.degraded is not None,
            calls=outages.calls if outages else {},
            errors=outages.errors if outages else {},
            queue=queue,
            lag_ms=self.lag_ms(),
        )
        return Answer(200, exposition(tally or Tally(), now), CONTENT_TYPE)

    async def _queue_view(self) -> QueueView | None:
        """Ask the engine, at most every five seconds and for at most two; None when it does not answer: never stale values."""
        engine = self._engine
        if engine is None:
            return None
        async with self._looking:
            at, view = self._queue
            if time.monotonic() - at < QUEUE_KEPT_S:
                return view
            try:
                async with asyncio.timeout(QUEUE_BOUND_S):
                    view = QueueView(depths=await engine.depths(), dead_letters=await engine.count_dead())
            except (EngineError, TimeoutError) as error:
                log.debug("the queue did not answer a scrape: %s", error)
                view = None
            self._queue = (time.monotonic(), view)
            return view


def family_of(settings: config.Settings) -> str:
    """Return the name under which the daemons of this queue can be asked on this host."""
    provider = config.resolve_provider(settings).provider
    place = str(settings.connections.deno_kv_path) if provider is config.Provider.DENO_KV else ""
    return local.family_of(provider.value, settings.queue_name, place)


def _no_lag() -> float | None:
    return None
