"""Real servers of a test's own: each in a directory of its own, on a free port of 127.0.0.1, ended with the test run.

`RedisServer`, `PostgresServer` and `RabbitServer` share the methods of `PrivateServer`. They block while they
wait; a test whose event loop must go on meanwhile calls them through `asyncio.to_thread`. A server's processes
are known by their current directory, which lies in the server's, so forks, backends and ports programs are
found as well. Where pytest itself is killed, `server_keeper.py` ends them.
"""

import abc
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from netscript_workers.processes.prctl import ProcessControl
from support import leaks, server_keeper

START_PATIENCE_S = 100.0
STOP_PATIENCE_S = 20.0

# Below the ports that the kernel hands to outgoing connections, so that nobody takes ours while we restart.
_PORTS = (12_000, 30_000)


class ServerError(Exception):
    """A server did not start or did not end; the message holds the end of its log."""


class PrivateServer(abc.ABC):
    """One server and its data. Made stopped; `start` it, `close` it; as a context manager it does both.

    `port` and `url` stay the same for its life. `extra` are further arguments of the server's own command line.
    """

    name: str
    stop_signal = signal.SIGTERM

    def __init__(self, *extra: str) -> None:
        self.extra = extra
        self.directory = Path(tempfile.mkdtemp(prefix=f"test-{self.name}-", dir="/tmp"))
        self.directory.chmod(0o755)  # PostgreSQL runs as a user of its own when we are root
        self.run_directory = self.directory / "run"
        self.run_directory.mkdir()
        self.log_file = self.directory / "log"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        leaks.HOUSE_DIRECTORIES.add(self.directory)
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", "-S", server_keeper.__file__, str(os.getpid()), str(self.directory)],
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in the terminal is for pytest
        )

    @property
    @abc.abstractmethod
    def url(self) -> str:
        """Where clients connect."""

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None, f"{self.name} is not running"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Tell whether its process is there (it may be paused)."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Start it on the data it has, and wait until it answers. Nothing happens when it runs."""
        if not self.running:
            self._process = self._launch()
            self._wait(self._answers, START_PATIENCE_S, "start")
        return self

    def stop(self) -> None:
        """End it in good order, its data written."""
        if self._process is None:
            return
        self.resume()
        self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise ServerError(
                f"{self.name} did not stop within {STOP_PATIENCE_S:.0f} s: {self._tail()}"
            ) from None
        self.kill()  # what it left running, if anything

    def kill(self) -> None:
        """Kill -9 every process of it, as losing power would, and wait until all are gone."""
        server_keeper.kill_all_below(self.run_directory)
        if self._process is not None:
            self._process.wait(STOP_PATIENCE_S)
            self._process = None

    def restart(self) -> None:
        """Stop in good order, then start."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """SIGSTOP every process of it: connections stay open, nothing answers."""
        server_keeper.signal_all(server_keeper.processes_below(self.run_directory), signal.SIGSTOP)

    def resume(self) -> None:
        """Take `pause` back."""
        server_keeper.signal_all(server_keeper.processes_below(self.run_directory), signal.SIGCONT)

    def close(self) -> None:
        """Kill it and remove all that it wrote. It cannot be started again."""
        self.kill()
        self._keeper.kill()
        self._keeper.wait(STOP_PATIENCE_S)
        server_keeper.kill_all_below(self.directory)
        shutil.rmtree(self.directory)
        leaks.HOUSE_DIRECTORIES.discard(self.directory)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    @abc.abstractmethod
    def _launch(self) -> subprocess.Popen[bytes]:
        """Start the server's process, in the foreground."""

    @abc.abstractmethod
    def _answers(self) -> bool:
        """Tell whether it serves clients."""

    def _spawn(self, *argv: str, user: str | None = None, **environment: str) -> subprocess.Popen[bytes]:
        inherited = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        with self.log_file.open("ab") as log:
            return subprocess.Popen(
                argv,
                cwd=self.run_directory,
                env={**inherited, "HOME": str(self.directory), "LC_ALL": "C.UTF-8", **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=user,
                group=user,
                extra_groups=[] if user else None,
                # What it orphans stays below it: a runner under test adopts all that is orphaned below pytest.
                preexec_fn=ProcessControl().adopt_orphans,  # noqa: PLW1509 - one system call, no lock
            )

    def _command(self, *argv: str, user: str | None = None, **environment: str) -> str:
        """Run a program of the server's to its end and return what it printed."""
        process = self._spawn_captured(*argv, user=user, **environment)
        if process.returncode != 0:
            raise ServerError(f"`{' '.join(argv)}` ended with {process.returncode}: {process.stdout}")
        return process.stdout

    def _spawn_captured(
        self, *argv: str, user: str | None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv,
            cwd=self.directory,
            env={"PATH": os.environ["PATH"], "HOME": str(self.directory), "LC_ALL": "C.UTF-8", **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=START_PATIENCE_S,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            check=False,
        )

    def _wait(self, holds: Callable[[], bool], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            if not self.running or time.monotonic() > deadline:
                self.kill()
                raise ServerError(f"{self.name} did not {what}: {self._tail()}")
            time.sleep(0.02)

    def _tail(self) -> str:
        return (
            self.log_file.read_text(errors="replace")[-2000:]
            if self.log_file.exists()
            else "(it wrote no log)"
        )


def free_port() -> int:
    """Find a port of 127.0.0.1 that nobody listens on."""
    for _ in range(100):
        port = random.randrange(*_PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ServerError("no free port was found on 127.0.0.1 in a hundred tries")


def exchange(port: int, sent: bytes, size: int) -> bytes:
    """Send some bytes to a local port and return up to `size` bytes of the answer; empty when nobody answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(sent)
            return connection.recv(size)
    except OSError:
        return b""
