# ruff: noqa: T201 - a benchmark prints
"""How late a scheduler is when many schedules are due in the same second, and what it costs while nothing is due.

    .venv/bin/python tests/benchmarks/scheduler_lag.py [--schedules 1000] [--rounds 10]

Lag is the time from a tick's moment until it stands in the queue, durably, on the embedded engine; the load of a daemon with 100
schedules, none due, is its processor time over 20 seconds.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from netscript_workers.domain.target import Concept, Source, Target
from netscript_workers.engines.deno_kv import DenoKvEngine
from netscript_workers.scheduler.service import Scheduler
from netscript_workers.wiring.scheduling import Around
from netscript_workers.worker.faults import Faults
from netscript_workers.worker.outage import Outages

IDLE_SECONDS = 20


def target(name: str, cron: str) -> Target:
    return Target(id=name, concept=Concept.JOB, source=Source.CONFIG, file="", path="", schedule=cron)


async def lags_of(folder: Path, schedules: int, rounds: int) -> list[int]:
    engine = DenoKvEngine(folder / "queue.sqlite3")
    await engine.open()
    lags: list[int] = []
    targets = {f"t{number}": target(f"t{number}", "*/2 * * * * *") for number in range(schedules)}
    scheduler = Scheduler(engine, targets, Around(Outages(), Faults()), lags.extend)
    await scheduler.start()
    while len(lags) < schedules * (rounds + 1):
        await asyncio.sleep(0.2)
    await scheduler.stop(1_000)
    await engine.close()
    return sorted(lags[schedules:])  # the first round warms up


def idle_cpu(folder: Path) -> float:
    jobs = folder / "workers" / "jobs"
    jobs.mkdir(parents=True)
    (jobs / "idle.py").write_text("def idle(ctx):\n    pass\n")
    entries = "".join(
        f'[[jobs]]\nid = "idle-{number}"\nentrypoint = "idle.py:idle"\nschedule = "0 0 {number % 28 + 1} 1 *"\n'
        for number in range(100)
    )
    (folder / "config.toml").write_text(f'queue_provider = "deno-kv"\nruntime = "in-process"\n{entries}')
    workers = Path(sys.executable).parent / "workers"
    process = subprocess.Popen([workers, "combined", "--log-level", "error"], cwd=folder)
    try:
        time.sleep(4)
        before = cpu_seconds(process.pid)
        time.sleep(IDLE_SECONDS)
        if process.poll() is not None:
            raise SystemExit(f"the daemon ended with status {process.returncode}: nothing was measured")
        return (cpu_seconds(process.pid) - before) / IDLE_SECONDS
    finally:
        process.terminate()
        process.wait()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lags = uvloop.run(lags_of(Path(folder), options.schedules, options.rounds))
    points = {
        name: lags[min(len(lags) - 1, int(len(lags) * part))] for name, part in (("p50", 0.5), ("p99", 0.99))
    }
    print(
        f"{options.schedules} schedules due at once: lag p50 {points['p50']} ms, p99 {points['p99']} ms, worst {lags[-1]} ms"
    )
    with tempfile.TemporaryDirectory() as folder:
        print(f"a daemon with 100 schedules, none due: {idle_cpu(Path(folder)) * 100:.2f} % of a core")


if __name__ == "__main__":
    main()
