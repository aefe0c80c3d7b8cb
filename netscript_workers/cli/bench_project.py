"""The project that `workers bench` measures with: private, in a temporary directory, with daemons of its own."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncGenerator, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Final

from netscript_workers.cli import options
from netscript_workers.errors import WorkersError
from netscript_workers.ports.erasable import Erasable

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
class BenchServer:
    """The server whose queues are measured: the provider and the URLs of the settings, by key."""

    provider: str
    urls: Mapping[str, str]

    def settings(self, queue_name: str) -> tuple[str, str]:
        """Return the head and the tables of a config that leads there. URLs go by the environment: no file holds them."""
        for key, url in self.urls.items():
            os.environ[f"BENCH_{key.upper()}"] = url
        tables = "".join(f'{key} = "env:BENCH_{key.upper()}"\n' for key in self.urls)
        head = f'queue_provider = "{self.provider}"\nqueue_name = "{queue_name}"\n'
        return head, f"[connections]\n{tables}" if tables else ""


def server_of(loaded: "LoadOptions") -> BenchServer | None:
    """Return the server that the settings lead to; None for an embedded queue. Raises `ConfigError`."""
    from netscript_workers import config
    from netscript_workers.cli.session import settings_of

    settings = settings_of(loaded)
    provider = config.resolve_provider(settings).provider
    if provider in {config.Provider.DENO_KV, config.Provider.MEMORY}:
        return None
    connections = settings.connections
    urls = {
        "redis_url": connections.redis_url,
        "database_url": connections.database_url,
        "amqp_url": connections.amqp_url,
    }
    return BenchServer(provider.value, {key: url.reveal() for key, url in urls.items() if url is not None})


@dataclass(frozen=True)
class BenchProject:
    """One project: its directory, its config file, how it runs, and on which server (None: on a file of its own)."""

    directory: Path
    mode: str
    slots: int
    server: BenchServer | None = None

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
        head, tables = self.server.settings(self.queue_name) if self.server else ("", "")
        self.config.write_text(f'{head}concurrency = {self.slots}\nruntime = "{self.mode}"\n{tables}')

    @property
    def queue_name(self) -> str:
        """Return a name that no other queue on the server has."""
        return f"{self.directory.parent.name}-{self.directory.name}"

    def erase(self) -> None:
        """Remove what its queue left on the server, where the engine can."""
        if self.server is None:
            return
        from netscript_workers import wiring

        async def erase() -> None:
            async with wiring.open_engine(self.settings()) as engine:
                if isinstance(engine, Erasable):
                    await engine.erase()

        asyncio.run(erase())


class BenchGround:
    """The temporary directory that all projects of one `workers bench` lie in."""

    def __init__(self, root: Path, server: BenchServer | None) -> None:
        """Lay projects out under `root`, which the maker owns."""
        self._root = root
        self._server = server
        self._made: list[BenchProject] = []

    def project(self, mode: str, slots: int) -> BenchProject:
        """Make a project with an empty queue."""
        made = BenchProject(self._root / f"project-{len(self._made) + 1}", mode, slots, self._server)
        self._made.append(made)
        made.write()
        return made

    def erase(self) -> None:
        """Remove what the queues of all projects left on the server."""
        for made in self._made:
            made.erase()


@contextlib.contextmanager
def ground(parent: Path | None, server: BenchServer | None = None) -> Generator[BenchGround]:
    """Make a temporary directory (under `parent`, else where the system keeps such) and remove it with everything in it."""
    with TemporaryDirectory(prefix="workers-bench-", dir=parent, ignore_cleanup_errors=True) as root:
        laid = BenchGround(Path(root), server)
        try:
            yield laid
        finally:
            laid.erase()


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
