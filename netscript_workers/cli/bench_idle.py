"""A daemon that has nothing to do: how soon it starts what arrives, and what it costs meanwhile."""

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from netscript_workers.cli import bench_footprint
from netscript_workers.cli.bench_project import BenchProject, daemon
from netscript_workers.domain.execution import Status
from netscript_workers.errors import WorkersError

if TYPE_CHECKING:
    from netscript_workers.client import Client
    from netscript_workers.ports.engine import Engine

_WARM_UP: Final = 5
_PAUSE_S: Final = 0.02
_END_BOUND_MS: Final = 30_000
_SETTLE_S: Final = 1.0
_NAP_S: Final = 1.0
_FEW: Final = 2


async def latencies(project: BenchProject, samples: int) -> list[float]:
    """Return `samples` times in ms from the call of `trigger` in this process to the first line of the handler."""
    from netscript_workers import wiring
    from netscript_workers.client import Client

    found: list[float] = []
    async with (
        wiring.open_engine(project.settings()) as engine,
        Client(project.config) as client,
        daemon(project) as running,
    ):
        await running.ready(engine)
        for number in range(samples + _WARM_UP):
            await asyncio.sleep(_PAUSE_S)  # let the daemon go idle again
            sent = time.time_ns()
            execution = await client.trigger("stamp", {})
            started = await _started_ns(engine, execution.id)
            if number >= _WARM_UP:
                found.append((started - sent) / 1e6)
    return found


@dataclass(frozen=True)
class Footprint:
    """Memory in MB of 2^20 bytes, processor time in percent of one core."""

    idle_memory: float
    idle_processor: float
    slot_memory: float | None


async def footprint(project: BenchProject, idle_s: float) -> Footprint:
    """Return what a daemon costs while idle, and what each further warm slot adds (None in the mode without slots)."""
    from netscript_workers import wiring
    from netscript_workers.client import Client

    async with (
        wiring.open_engine(project.settings()) as engine,
        Client(project.config) as client,
        daemon(project) as running,
    ):
        await running.ready(engine)
        await asyncio.sleep(_SETTLE_S)
        processes = bench_footprint.tree(running.pid)
        memory = bench_footprint.memory_mb(processes)
        before = bench_footprint.processor_ms(processes)
        begun = time.perf_counter()
        await asyncio.sleep(idle_s)
        used = bench_footprint.processor_ms(processes) - before
        share = used / ((time.perf_counter() - begun) * 1_000) * 100
        slot = None
        if project.mode == "web-worker":
            slot = await _slot_memory(engine, client, running.pid, project.slots)
    return Footprint(memory, share, slot)


async def _slot_memory(engine: "Engine", client: "Client", pid: int, slots: int) -> float:
    """Warm a few slots, then all of them, and share the difference among those added."""
    few_processes, few_memory = await _warmed(engine, client, pid, min(_FEW, slots - 1))
    all_processes, all_memory = await _warmed(engine, client, pid, slots)
    added = all_processes - few_processes
    if added <= 0:
        raise WorkersError("no further slot was started for more work at a time, so none could be measured.")
    return (all_memory - few_memory) / added


async def _warmed(engine: "Engine", client: "Client", pid: int, slots: int) -> tuple[int, float]:
    naps: list[dict[str, Any]] = [{"seconds": _NAP_S}] * slots
    waiting = {each.id for each in await client.trigger_many("nap", naps)}
    async with asyncio.timeout(_END_BOUND_MS / 1000):
        while waiting:
            ended = await engine.wait_for_end(sorted(waiting), 1_000)
            waiting -= {each.id for each in ended}
    await asyncio.sleep(_SETTLE_S)
    processes = bench_footprint.tree(pid)
    return len(processes), bench_footprint.memory_mb(processes)


async def _started_ns(engine: "Engine", execution_id: str) -> int:
    ended = await engine.wait_for_end([execution_id], _END_BOUND_MS)
    if not ended or ended[0].status is not Status.COMPLETED or ended[0].result is None:
        raise WorkersError(f"the measured run did not complete within {_END_BOUND_MS / 1000:.0f} s: {ended}")
    return msgspec.json.decode(ended[0].result)["started"]
