"""One row measured: a bulk drained, then the idle worker's latency and cost."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.peers.catalogue import ROWS, Row
from benchmarks.peers.environments import Environments, UnavailableError
from benchmarks.peers.stage import Servers, Stage
from benchmarks.peers.workers import Peer, Worker, idle_percent, processor_s
from support import server_keeper

START_BOUND_S = 60.0
STALL_BOUND_S = 20.0
SETTLE_S = 1.5
LOOK_EVERY_S = 0.004


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    runs: int
    repeat: int
    samples: int
    idle_s: float

    def of(self, row: Row) -> int:
        """Return how many runs a row is measured with, at least ten."""
        return max(10, round(self.runs * row.share))


@dataclass
class Measured:
    """The figures of one row, or the reason why there are none. Rates and seconds hold one value for each repeat."""

    row: Row
    runs: int
    versions: dict[str, str] = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)
    worker_s: list[float] = field(default_factory=list)
    server_s: list[float] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)
    idle_percent: float | None = None
    server_idle_percent: float | None = None
    repeated: int = 0
    failure: str | None = None

    @property
    def rate(self) -> float | None:
        """Return the median of runs a second."""
        return statistics.median(self.rates) if self.rates else None

    def shape(self) -> dict[str, object]:
        """Build the entry of `--json`."""
        row = self.row
        return {
            "engine": row.engine,
            "peer": row.peer,
            "way": row.way,
            "kept": row.kept,
            "runs": self.runs,
            "versions": self.versions,
            "runsPerSecond": self.rates,
            "workerSecondsPerThousand": self.worker_s,
            "serverSecondsPerThousand": self.server_s,
            "latencyMs": self.latencies_ms,
            "idlePercent": self.idle_percent,
            "serverIdlePercent": self.server_idle_percent,
            "startedMoreThanOnce": self.repeated,
            "failure": self.failure,
        }


def remembered(shape: dict[str, Any]) -> Measured:
    """Build what `shape` was made from."""
    of = tuple(shape[name] for name in ("engine", "peer", "way"))
    row = next((row for row in ROWS if (row.engine, row.peer, row.way) == of), None)
    if row is None:
        raise SystemExit(f"nothing is compared any more as {' '.join(of)}: measure again")
    return Measured(
        row,
        shape["runs"],
        shape["versions"],
        shape["runsPerSecond"],
        shape["workerSecondsPerThousand"],
        shape["serverSecondsPerThousand"],
        shape["latencyMs"],
        shape["idlePercent"],
        shape["serverIdlePercent"],
        shape["startedMoreThanOnce"],
        shape["failure"],
    )


def measure(row: Row, plan: Plan, stage: Stage, environments: Environments) -> Measured:
    """Measure a row; whatever a peer does wrong becomes its `failure`, beside the figures it had by then."""
    found = Measured(row, plan.of(row))
    # In /tmp for all, so that files are on one disk; the peer's processes are known by being there.
    directory = Path(tempfile.mkdtemp(prefix="peer-"))
    keeper = _keeper(directory)
    try:
        python = environments.python(row)
        found.versions = environments.versions(row)
        servers = stage.open(row.servers)
        variables = {"PEER_VARIANT": row.variant}
        variables |= dict(zip(("PEER_URL", "PEER_STORE_URL"), servers.urls, strict=False))
        peer = Peer(python, row.program, directory, variables)
        peer.do("prepare")
        for left in reversed(range(plan.repeat)):
            peer.marks.clear()
            peer.do("enqueue", str(found.runs))
            with peer.worker() as worker:
                _drain(peer, worker, servers, found)
                if row.ours:
                    peer.do("verify", str(found.runs))
                if left == 0:
                    _idle(peer, worker, servers, plan, found)
    except UnavailableError as failure:
        found.failure = str(failure)
    finally:
        keeper.kill()
        keeper.wait()
        shutil.rmtree(directory, ignore_errors=True)
    return found


def _keeper(directory: Path) -> subprocess.Popen[bytes]:
    """Start the process that ends what works below `directory`, and removes it, should we be killed."""
    argv = [sys.executable, "-I", "-S", server_keeper.__file__, str(os.getpid()), str(directory)]
    return subprocess.Popen(argv, cwd="/", stdin=subprocess.DEVNULL, start_new_session=True)


def _drain(peer: Peer, worker: Worker, servers: Servers, found: Measured) -> None:
    _await(peer, worker, 1, START_BOUND_S)
    workers, others = worker.pids(), servers.pids()
    used, used_there, already = processor_s(workers), processor_s(others), peer.marks.count()
    _await(peer, worker, found.runs, STALL_BOUND_S)
    share = 1_000 / max(1, found.runs - already)
    found.worker_s.append((processor_s(worker.pids()) - used) * share)
    found.server_s.append((processor_s(servers.pids()) - used_there) * share)
    times = peer.marks.times()
    found.rates.append((len(times) - 1) / max(1e-9, (max(times) - min(times)) / 1e9))


def _await(peer: Peer, worker: Worker, count: int, bound_s: float) -> None:
    """Wait until `count` runs have started; `bound_s` seconds without a further one are a failure."""
    seen, deadline = 0, time.monotonic() + bound_s
    while (now := peer.marks.count()) < count:
        if now > seen:
            seen, deadline = now, time.monotonic() + bound_s
        worker.check()
        if time.monotonic() > deadline:
            raise UnavailableError(
                f"{now} of {count} runs started, then none for {bound_s:.0f} s: {worker.last_words()}"
            )
        time.sleep(LOOK_EVERY_S)


def _idle(peer: Peer, worker: Worker, servers: Servers, plan: Plan, found: Measured) -> None:
    time.sleep(SETTLE_S)
    found.repeated += max(0, peer.marks.count() - found.runs)
    peer.marks.clear()
    sent = peer.sent(plan.samples)
    started = peer.marks.times()
    worker.check()
    if len(started) < len(sent):
        raise UnavailableError(f"{len(sent)} jobs sent to the idle worker started {len(started)} times only")
    found.repeated += len(started) - len(sent)
    # The first ones find connections unopened and code unread, on both sides.
    warm = min(5, plan.samples // 2)
    # Each was sent after the one before had started, so its start is the first one after that.
    found.latencies_ms = [
        (min(start for start in started if start >= one) - one) / 1e6 for one in sent[warm:]
    ]
    time.sleep(SETTLE_S)
    found.idle_percent = idle_percent(worker.pids(), plan.idle_s)
    found.server_idle_percent = idle_percent(servers.pids(), plan.idle_s)
