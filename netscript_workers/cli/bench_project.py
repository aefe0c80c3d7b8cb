"""The project that `workers bench` measures with: private, in a temporary directory, with daemons of its own."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Final

from netscript_workers.cli import options
from netscript_workers.errors import WorkersError

if TYPE_CHECKING:
    from netscript_workers.config import LoadOptions, Settings
    from netscript_workers.ports.engine import Engine

_READY_BOUND_S: Final = 60.0
_END_BOUND_S: Final = 20.0
_LOOK_EVERY_S: Final = 0.05
_LOG_TAIL: Final = 2_000
_OVERRIDES: Final = (
    "WORKERS_",
    "WORKER_",
    "NETSCRIPT_",
    "REDIS_URL",
    "DATABASE_URL",
    "AMQP_URL",
    "DENO_KV_URL",
)

JOBS: Final = '''"""What `workers bench` runs."""

import asyncio
import time

from netscript_workers import job


@job("noop", max_retries=0)
async def noop(ctx):
    return None


@job("stamp", max_retries=0)
async def stamp(ctx):
    return {"started": time.time_ns()}


@job("nap", max_retries=0)
async def nap(ctx):
    await asyncio.sleep(ctx.payload["seconds"])


@job("spin", max_retries=0)
def spin(ctx):
    end = time.thread_time_ns() + ctx.payload["ms"] * 1_000_000
    while time.thread_time_ns() < end:
        pass
'''


@dataclass(frozen=True)
class BenchProject:
    """One project: its directory, its config file, and how it runs."""

    directory: Path
    mode: str
    slots: int

    @property
    def config(self) -> Path:
        """Return the path of its config file."""
        return self.directory / "config.toml"

    def options(self) -> "LoadOptions":
        """Return how it is loaded."""
        return options.load_options(self.config)

    def settings(self) -> "Settings":
        """Load its settings."""
        from netscript_workers.cli.session import settings_of

        return settings_of(self.options())

    def write(self) -> None:
        """Write its files; the queue is made by whoever opens it first."""
        jobs = self.directory / "workers" / "jobs"
        jobs.mkdir(parents=True)
        (jobs / "measured.py").write_text(JOBS)
        self.config.write_text(f'concurrency = {self.slots}\nruntime = "{self.mode}"\n')


class BenchGround:
    """The temporary directory that all projects of one `workers bench` lie in."""

    def __init__(self, root: Path) -> None:
        """Lay projects out under `root`, which the maker owns."""
        self._root = root
        self._made = 0

    def project(self, mode: str, slots: int) -> BenchProject:
        """Make a project with an empty queue."""
        self._made += 1
        made = BenchProject(self._root / f"project-{self._made}", mode, slots)
        made.write()
        return made


@contextlib.contextmanager
def ground(parent: Path | None) -> Generator[BenchGround]:
    """Make a temporary directory (under `parent`, else where the system keeps such) and remove it with everything in it."""
    with TemporaryDirectory(prefix="workers-bench-", dir=parent, ignore_cleanup_errors=True) as root:
        yield BenchGround(Path(root))


def forget_overrides() -> None:
    """Take out of this process's environment what would change the settings of the measured projects."""
    for name in list(os.environ):
        if name.startswith(_OVERRIDES):
            del os.environ[name]


@contextlib.asynccontextmanager
async def daemon(project: BenchProject, *arguments: str) -> AsyncGenerator["Daemon"]:
    """Run `workers combined` on `project` as a process of its own until the block ends."""
    with (project.directory / "daemon.log").open("w+b") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "netscript_workers", "combined", "--log-level", "warning"),
            *("--config", str(project.config), *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=project.directory,
            start_new_session=True,
        )
        running = Daemon(process, log)
        try:
            yield running
        finally:
            await running.end()


class Daemon:
    """A daemon under measurement. The block that started it ends it."""

    def __init__(self, process: asyncio.subprocess.Process, log: IO[bytes]) -> None:
        """Watch `process`, whose output goes to `log`."""
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        """Return the id of the daemon's main process."""
        return self._process.pid

    async def ready(self, engine: "Engine") -> None:
        """Return once the daemon has announced itself on `engine`; raises `WorkersError` with its log when it does not."""
        try:
            async with asyncio.timeout(_READY_BOUND_S):
                while not any(worker.pid == self.pid for worker in await engine.workers()):
                    if self._process.returncode is not None:
                        raise self._failure(f"ended with {self._process.returncode}")
                    await asyncio.sleep(_LOOK_EVERY_S)
        except TimeoutError:
            raise self._failure(f"was not ready within {_READY_BOUND_S:.0f} s") from None

    async def drained(self, bound_s: float) -> None:
        """Return once a daemon started with `--drain` has ended well; raises `WorkersError` with its log otherwise."""
        try:
            async with asyncio.timeout(bound_s):
                status = await self._process.wait()
        except TimeoutError:
            raise self._failure(f"had not drained its queue after {bound_s:.0f} s") from None
        if status != 0:
            raise self._failure(f"ended with {status}")

    async def end(self) -> None:
        """End the process, kindly and then by force. Idempotent."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(_END_BOUND_S):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
        await self._process.wait()

    def _failure(self, what: str) -> WorkersError:
        self._log.seek(0)
        tail = self._log.read()[-_LOG_TAIL:].decode(errors="replace").strip()
        return WorkersError(f"the measured daemon {what}. Its last words:\n{tail or '(none)'}")
