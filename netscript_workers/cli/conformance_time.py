"""Checks of when: how soon work wakes a worker, how exact delays are, how soon a lost worker's run is handed on."""

import asyncio
import time
from typing import TYPE_CHECKING, Final

from netscript_workers.cli.conformance_stage import LEASE_MS, Stage, Verdict, middle
from netscript_workers.domain import outcome as outcomes
from netscript_workers.ports.queue import Claim

if TYPE_CHECKING:
    from netscript_workers.domain.execution import Execution

_LATE_MS: Final = 1_000
"""A delay may be this much late and still count as kept."""
_ROUNDING_MS: Final = 2
"""The server's clock counts whole milliseconds: by so much a delay may seem too short from here."""
_ROUNDS: Final = 30
_LOOK_S: Final = 0.02


async def latency(stage: Stage) -> Verdict:
    """Wait for work on one connection while the other enqueues."""
    topic = stage.topic()
    times: list[float] = []
    for _ in range(_ROUNDS):
        waiting = asyncio.create_task(stage.two.claim_within(topic, 10))
        await asyncio.sleep(_LOOK_S)
        began = time.perf_counter()
        await stage.put(topic)
        claimed = await waiting
        if not claimed:
            return Verdict(
                "latency", "work wakes a waiting worker", kept=False, found="not woken within 10 s"
            )
        times.append((time.perf_counter() - began) * 1000)
        await stage.two.settle(claimed)
    half, worst = middle(times), max(times)
    found = f"enqueue to claim: half of them within {half:.1f} ms, worst {worst:.1f} ms"
    figures = {"medianMs": round(half, 2), "worstMs": round(worst, 2)}
    return Verdict("latency", "work wakes a waiting worker", worst < _LATE_MS, found, figures)


async def delay(stage: Stage) -> Verdict:
    """Enqueue with delays in mixed order, and see when each is handed out."""
    topic = stage.topic()
    delays = [300 + (number * 370) % 1500 for number in range(_ROUNDS)]
    due: dict[str, float] = {}
    enqueueing = 0.0
    for delay_ms in delays:
        began = time.perf_counter() * 1000
        (id,) = await stage.put(topic, delay_ms=delay_ms)
        due[id] = began + delay_ms
        enqueueing = max(enqueueing, time.perf_counter() * 1000 - began)
    lateness: list[float] = []
    while len(lateness) < len(delays) and (claimed := await stage.one.claim_within(topic, 10, count=5)):
        now = time.perf_counter() * 1000
        lateness += [now - due[each.id] for each in claimed]
        await stage.one.settle(claimed)
    return _precision("delay", "delayed work comes when it is due", lateness, len(delays), enqueueing)


async def retry(stage: Stage) -> Verdict:
    """Fail attempts with a delay before the next."""
    topic = stage.topic()
    await stage.put(topic, 10)
    first = await stage.one.claim_within(topic, 5, count=10)
    began = time.perf_counter()
    await stage.one.settle(first, outcomes.failed("once"), attempts=2, delay_ms=500)
    settling = (time.perf_counter() - began) * 1000
    lateness: list[float] = []
    while len(lateness) < len(first) and (claimed := await stage.two.claim_within(topic, 10, count=5)):
        now = (time.perf_counter() - began) * 1000
        lateness += [now - 500 for each in claimed if each.attempt == 2]  # noqa: PLR2004 - the second attempt
        await stage.two.settle(claimed)
    return _precision("retry delay", "a retry comes after its delay", lateness, 10, settling)


def _precision(name: str, promise: str, lateness: "list[float]", expected: int, slack_ms: float) -> Verdict:
    """Judge how late each came; `slack_ms` is how much of it may have passed before the server knew."""
    if len(lateness) < expected:
        return Verdict(
            name, promise, kept=False, found=f"only {len(lateness)} of {expected} came within 10 s"
        )
    early, half, worst = min(lateness), middle(lateness), max(lateness)
    kept = early > -_ROUNDING_MS and worst - slack_ms < _LATE_MS
    found = f"half of them within {half:.0f} ms of their time, worst {worst:.0f} ms"
    if early <= -_ROUNDING_MS:
        found += f"; one came {-early:.0f} ms early"
    figures = {"medianMs": round(half, 1), "worstMs": round(worst, 1), "earliestMs": round(early, 1)}
    return Verdict(name, promise, kept, found, figures)


async def lost_worker(stage: Stage) -> Verdict:
    """Claim, fall silent, and see when another worker may take over; then try to end the run that was lost."""
    topic = stage.topic()
    await stage.put(topic)
    began = time.perf_counter()
    promise = "a silent worker's run is handed on after its lease, and its own end is refused"
    claimed = await stage.one.claim(topic, lease_ms=stage.lease_ms)
    if len(claimed) != 1:
        return _not_one("lost worker", promise, claimed)
    taken: list[Execution] = []
    bound = stage.lease_ms / 1000 * 3 + 10
    while not taken and time.perf_counter() - began < bound:
        taken = await stage.two.engine.take_expired(stage.two.name, LEASE_MS, 10)
        if not taken:
            await asyncio.sleep(_LOOK_S)
    took_ms = (time.perf_counter() - began) * 1000
    if not taken:
        return Verdict("lost worker", promise, kept=False, found=f"not handed on within {bound:.0f} s")
    late = await stage.one.settle(claimed)
    ended = await stage.two.settle(taken)
    kept = took_ms >= stage.lease_ms and late == [False] and ended == [True] and len(taken) == 1
    found = (
        f"handed on after {took_ms:.0f} ms (lease {stage.lease_ms} ms); "
        f"the late end was {'refused' if late == [False] else 'taken'}"
    )
    figures = {"leaseMs": stage.lease_ms, "handedOnMs": round(took_ms), "lateEndRefused": late == [False]}
    return Verdict("lost worker", promise, kept, found, figures)


async def renewal(stage: Stage) -> Verdict:
    """Renew a lease past its first end; nobody may take the run."""
    topic = stage.topic()
    await stage.put(topic)
    promise = "a renewed lease keeps its run"
    claimed = await stage.one.claim(topic, lease_ms=stage.lease_ms)
    if len(claimed) != 1:
        return _not_one("renewal", promise, claimed)
    (execution,) = claimed
    claim = Claim(execution.id, execution.token)
    end = time.perf_counter() + stage.lease_ms / 1000 * 2
    taken = lost = 0
    while time.perf_counter() < end:
        lost += len((await stage.one.engine.extend_many([claim], stage.lease_ms)).lost)
        taken += len(await stage.two.engine.take_expired(stage.two.name, LEASE_MS, 10))
        await asyncio.sleep(stage.lease_ms / 1000 / 4)
    ended = await stage.one.settle([execution])
    kept = not taken and not lost and ended == [True]
    found = (
        f"ran for two leases: taken over {taken} times, its end {'taken' if ended == [True] else 'refused'}"
    )
    figures = {"takenOver": taken, "endTaken": ended == [True]}
    return Verdict("renewal", promise, kept, found, figures)


async def cancel(stage: Stage) -> Verdict:
    """Cancel a run from another connection while its worker listens."""
    topic = stage.topic()
    await stage.put(topic)
    promise = "a cancellation reaches the run"
    claimed = await stage.one.claim_within(topic, 5)
    if len(claimed) != 1:
        return _not_one("cancel", promise, claimed)
    (execution,) = claimed
    claim = Claim(execution.id, execution.token)
    waiting = asyncio.create_task(stage.one.engine.wait_for_cancels([claim], 10_000))
    await asyncio.sleep(_LOOK_S)
    began = time.perf_counter()
    await stage.two.engine.cancel_many([execution.id])
    heard = await waiting
    took = (time.perf_counter() - began) * 1000
    await stage.one.settle([execution], outcomes.cancelled("asked"))
    kept = heard == [execution.id]
    found = f"its worker heard after {took:.1f} ms" if kept else "its worker did not hear within 10 s"
    return Verdict("cancel", promise, kept, found, {"heardMs": round(took, 1)})


def _not_one(name: str, promise: str, claimed: "list[Execution]") -> Verdict:
    """Judge a check that cannot go on, since what it enqueued did not come, or came more than once."""
    return Verdict(name, promise, kept=False, found=f"one was enqueued, and {len(claimed)} were handed out")
