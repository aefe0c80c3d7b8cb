"""A sandbox that confines nothing and watches everything: one run through it, and it proposes the least permissions."""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from netscript_workers.domain.command import CommandSpec, Confinement
from netscript_workers.domain.permissions import Permissions
from netscript_workers.domain.target import Target, TaskType
from netscript_workers.sandbox.broker import VARIABLE, Broker
from netscript_workers.sandbox.deno_proposal import propose_for_deno
from netscript_workers.sandbox.environment import ALWAYS, through_proxy
from netscript_workers.sandbox.guesses import names_in
from netscript_workers.sandbox.hosts import host_of
from netscript_workers.sandbox.kernel_sandbox import MODULE
from netscript_workers.sandbox.limits import resource_limits
from netscript_workers.sandbox.needs import Start, start_of
from netscript_workers.sandbox.numbers import Machine, this_machine
from netscript_workers.sandbox.observed import program_starts, read_back
from netscript_workers.sandbox.observing import watching_filter
from netscript_workers.sandbox.proposal import Proposal, Watched, propose
from netscript_workers.sandbox.proxying import Exchange
from netscript_workers.sandbox.rules import Rules, encoded

_STOP_SECONDS: Final = 5.0
_SEARCH_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_GIVEN: Final = frozenset({"TRACEPARENT", "TRACESTATE", "CORRELATION_ID", "EXECUTION_ID", "ATTEMPT"})


class Recorder:
    """Watches runs (see `ports/sandbox.py`); `proposal` is made from the last one.

    `hidden` are files that no confined run sees. `withheld` are the names of the daemon's secrets: that a program seems to read
    one is told, and never proposed.
    """

    def __init__(
        self, hidden: Sequence[str] = (), withheld: Sequence[str] = (), *, machine: Machine | None = None
    ) -> None:
        self._hidden = tuple(hidden)
        self._withheld = tuple(withheld)
        self._machine = machine or this_machine()
        self._folder: Path | None = None
        self._proxy = _WatchingProxy()
        self._broker: Broker | None = None
        self._seen: tuple[Target, CommandSpec, Start | None] | None = None

    @property
    def modules(self) -> tuple[str, ...]:
        """The module that is imported where programs are started."""
        return (MODULE,) if self._machine is not None else ()

    async def confine(self, target: Target, spec: CommandSpec) -> "WatchedRun":
        """Have `spec` watched; the permissions of `target` do not count. Raises `OSError`."""
        self._folder = Path(tempfile.mkdtemp(prefix="netscript-workers-"))
        env = dict(spec.env)
        start: Start | None = None
        if target.type == TaskType.DENO:
            self._broker = Broker(self._folder / "broker")
            await self._broker.start()
            env[VARIABLE] = str(self._folder / "broker")
        else:
            env = through_proxy(env, f"http://{await self._proxy.start()}")
            env["TMPDIR"] = "/tmp"  # noqa: S108 - where a confined run has its own
        with contextlib.suppress(
            FileNotFoundError
        ):  # then the program is not started, which is told better by whoever tries
            path = env.get("PATH", _SEARCH_PATH)
            start = start_of(spec.argv, spec.cwd, path, target.path, target.type, self._hidden)
        watched = msgspec.structs.replace(spec, env=env, confinement=self._watching(target, spec, env, start))
        self._seen = (target, watched, start)
        return WatchedRun(watched)

    async def stop(self) -> None:
        """End the listening. Idempotent."""
        await self._proxy.stop()
        if self._broker is not None:
            await self._broker.stop()

    def close(self) -> None:
        """Remove the notes. Idempotent."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def proposal(self) -> Proposal:
        """Return what the watched run needs, once it is over; raises `OSError` when its notes cannot be read."""
        if self._seen is None or self._folder is None:
            return Proposal(permissions=Permissions())
        target, spec, start = self._seen
        observed = read_back(self._folder / "notes")
        path = spec.env.get("PATH", _SEARCH_PATH)
        home = spec.env.get("HOME", "/")
        if self._broker is not None:
            since = self._broker.asked_at or 0.0  # what came before that is how Deno itself was started
            programs = program_starts(each for each in observed if each.at >= since)
            started = programs if self._machine is not None else None
            made = propose_for_deno(self._broker.requests, started, cwd=spec.cwd, home=home, search_path=path)
            return made if self._broker.asked_at is not None else _unasked(made)
        if start is None:
            return Proposal(permissions=Permissions())
        made = propose(
            Watched(
                observed=observed,
                cwd=spec.cwd,
                needs=start.needs,
                search_path=path,
                home=home,
                hosts=self._proxy.hosts,
                proxy=self._proxy.address,
                guessed=names_in(Path(target.path), _askable(spec.env, target)),
            )
        )
        secrets = names_in(Path(target.path), self._withheld)
        told = [
            f"{name} occurs in its text and is a secret of the daemon's: add it to env only if it is meant"
            for name in secrets
        ]
        return msgspec.structs.replace(made, notes=(*made.notes, *told))

    def _watching(
        self, target: Target, spec: CommandSpec, env: Mapping[str, str], start: Start | None
    ) -> Confinement | None:
        if self._machine is None or self._folder is None or start is None:
            return None
        limits = msgspec.structs.replace(target.limits, output=None, processes=None)
        rules = Rules(
            record=os.fsencode(self._folder / "notes"),
            filter=watching_filter(self._machine),
            limits=resource_limits(limits, reserves_memory=True, counts_processes=False),
            has_program=True,
            argv=tuple(os.fsencode(word) for word in start.argv),
            env={os.fsencode(name): os.fsencode(value) for name, value in env.items()},
        )
        return Confinement(module=MODULE, rules=encoded(rules))


class WatchedRun:
    """One watched run. See `ports/sandbox.py`."""

    not_enforced: tuple[str, ...] = ()

    def __init__(self, spec: CommandSpec) -> None:
        self.spec = spec

    def denied(self, errors: Sequence[str]) -> str | None:
        """Nothing is denied."""
        return None

    def reached(self) -> None:
        """Say nothing: an observed run has no control group."""

    async def close(self) -> None:
        """Keep the notes: they are read after the run."""


class _WatchingProxy:
    """An HTTP proxy that lets everything through, and remembers the hosts."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._hosts: dict[str, None] = {}
        self.address = ""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts with their ports, in order, each once."""
        return tuple(self._hosts)

    def covers(self, host: str, port: int) -> bool:
        """Remember a connection, and let it through."""
        name = host_of(host)
        self._hosts[f"[{name}]:{port}" if ":" in name else f"{name}:{port}"] = None
        return True

    async def start(self) -> str:
        """Listen, and return the address."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        self.address = f"{host}:{port}"
        return self.address

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_STOP_SECONDS)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await Exchange(reader, writer, [self], _ignore).serve()


def _unasked(made: Proposal) -> Proposal:
    why = "Deno did not come to its permission broker: it was not started, or is too old to have one"
    return msgspec.structs.replace(made, notes=(*made.notes, why))


def _ignore(_refused: str) -> None:
    """Nothing is refused here but what would be refused to every run."""


def _askable(env: Mapping[str, str], target: Target) -> set[str]:
    """Return the variables that a confined run would not see unless they are granted."""
    given = ALWAYS | _GIVEN | frozenset(target.env)
    proxies = {name for name in env if name.upper().endswith("_PROXY")}
    return {name for name in env if name not in given and not name.startswith("TASK_")} - proxies
