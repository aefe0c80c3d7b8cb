"""The sandbox of this host: finds out what a run needs, plans its confinement, keeps its way out, and explains its denials."""

import asyncio
import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from netscript_workers.domain.command import CommandSpec, Confinement
from netscript_workers.domain.target import Limits, Target, TaskType
from netscript_workers.errors import PermissionsUnenforceableError
from netscript_workers.sandbox import checks, landlock
from netscript_workers.sandbox.denials import Denial, found_in, told
from netscript_workers.sandbox.environment import through_proxy, visible
from netscript_workers.sandbox.gaps import UNLIMITED, Gap, gaps_of_limits
from netscript_workers.sandbox.grants import Grants, resolve
from netscript_workers.sandbox.host import Host
from netscript_workers.sandbox.limits import resource_limits
from netscript_workers.sandbox.needs import Start, needs_of_job, start_of
from netscript_workers.sandbox.policy import covers_read, covers_write, plan
from netscript_workers.sandbox.proxy import Pass, Proxy
from netscript_workers.sandbox.rules import Rules, encoded

# Where programs are started, this module is imported and its `apply` called (see domain/command.py).
MODULE: Final = "netscript_workers.sandbox.starting"
_PROXY_URL: Final = "http://127.0.0.1:3128"
_SEARCH_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
# Given to every run by the runner; a run may always know what it is.
_TASK_VARIABLES: Final = frozenset(
    {
        "TASK_ID",
        "TASK_PAYLOAD",
        "TASK_PAYLOAD_FILE",
        "EXECUTION_ID",
        "ATTEMPT",
        "TRACEPARENT",
        "TRACESTATE",
        "CORRELATION_ID",
    }
)


class Strictness(StrEnum):
    """What happens when something cannot be enforced (the config's `sandbox`, by the same words)."""

    REQUIRE = "require"
    BEST_EFFORT = "best-effort"
    OFF = "off"


class KernelSandbox:
    """Confines tasks by the kernel. `hidden` are files that no run ever sees: the queue's own, say."""

    def __init__(
        self, strictness: Strictness, hidden: Sequence[str] = (), *, host: Host | None = None
    ) -> None:
        self._strictness = strictness
        self._hidden = tuple(hidden)
        self._host = host
        self._probing = asyncio.Lock()
        self._proxy = Proxy()

    @property
    def modules(self) -> tuple[str, ...]:
        """The module that is imported where programs are started."""
        return (MODULE,)

    def renew(self, strictness: Strictness) -> None:
        """Hold by another strictness from now on; runs under way are confined as they were begun."""
        self._strictness = strictness

    async def confine(self, target: Target, spec: CommandSpec) -> "ConfinedRun":
        """Confine `spec`, a run of `target`; raises `PermissionsUnenforceableError` under `require`."""
        if self._strictness is Strictness.OFF:
            return ConfinedRun(spec)
        if target.permissions is None or target.type is TaskType.DENO:
            return self._limited(target, spec)
        host = await self._facts()
        path = spec.env.get("PATH", _SEARCH_PATH)
        try:
            start = start_of(spec.argv, spec.cwd, path, target.path, target.type, self._hidden)
        except FileNotFoundError:
            return ConfinedRun(spec)  # it cannot be started, which is told better by whoever tries
        start = _with_payload(start, spec.env)
        grants = resolve(target.permissions, spec.cwd, path)
        decided = plan(grants, target.limits, start.needs, host)
        self._judge(target, decided.gaps)
        env = visible(spec.env, target.permissions.env, frozenset(target.env) | _TASK_VARIABLES)
        if decided.rules is None:
            return ConfinedRun(_replaced(spec, start.argv, env, None), decided.gaps)
        rules, env, given = await self._with_ways(decided.rules, grants, env)
        spec = _replaced(spec, start.argv, env, rules, target.id)
        has_view = bool(rules.rooms)
        tmp = rules.private_tmp
        return ConfinedRun(
            spec, decided.gaps, grants, start, given, self._proxy, has_view=has_view, private_tmp=tmp
        )

    async def confine_job(self, target: Target, root: str, environ: Mapping[str, str]) -> "ConfinedRun":
        """Confine a run of a job in a process of its own; raises `PermissionsUnenforceableError` under `require`.

        The rules in the confinement of its `spec` are for `enter.apply`, called in the forked process before the handler runs:
        it returns in the confined one. `root` is the jobs directory, `environ` what that process was started with.
        """
        permissions = target.permissions
        spec = CommandSpec(argv=(), env={}, cwd=root)
        if self._strictness is Strictness.OFF:
            return ConfinedRun(spec)
        if permissions is None:
            return self._limited(target, spec)
        host = await self._facts()
        cwd = os.getcwd()  # the slot's too: a job has the daemon's working directory in every mode
        needs = needs_of_job(root, cwd, self._hidden)
        grants = resolve(permissions, cwd, environ.get("PATH", _SEARCH_PATH))
        decided = plan(grants, target.limits, needs, host)
        self._judge(target, decided.gaps)
        if decided.rules is None:
            return ConfinedRun(spec, decided.gaps)
        kept = visible(environ, permissions.env, frozenset())
        rules, env, given = await self._with_ways(decided.rules, grants, dict(kept))
        changed = {
            os.fsencode(name): os.fsencode(value) for name, value in env.items() if kept.get(name) != value
        }
        names = tuple(os.fsencode(name) for name in kept if name in env)
        rules = msgspec.structs.replace(rules, environment=names, env=changed)
        spec = msgspec.structs.replace(spec, env=env, confinement=_confinement(rules))
        start = Start((), needs)
        return ConfinedRun(
            spec,
            decided.gaps,
            grants,
            start,
            given,
            self._proxy,
            has_view=bool(rules.rooms),
            private_tmp=rules.private_tmp,
        )

    async def stop(self) -> None:
        """End the proxy. Idempotent."""
        await self._proxy.stop()

    async def _facts(self) -> Host:
        async with self._probing:
            if self._host is None:
                self._host = await asyncio.to_thread(checks.probed)
            return self._host

    def _judge(self, target: Target, gaps: Sequence[Gap]) -> None:
        if gaps and self._strictness is Strictness.REQUIRE:
            missing = tuple(str(gap) for gap in gaps)
            raise PermissionsUnenforceableError(
                f"the permissions of “{target.id}” cannot be enforced here: {'; '.join(missing)}. `workers doctor` shows what "
                "this host can do; sandbox = “best-effort” would run it all the same",
                missing=missing,
            )

    def _limited(self, target: Target, spec: CommandSpec) -> "ConfinedRun":
        """Bind an otherwise unconfined run to its limits."""
        limits = msgspec.structs.replace(target.limits, output=None)
        if limits == Limits():
            return ConfinedRun(spec)
        gaps = gaps_of_limits(limits)
        self._judge(target, gaps)
        if UNLIMITED in gaps:
            return ConfinedRun(spec, gaps)
        pairs = resource_limits(limits, reserves_memory=target.type is TaskType.DENO, counts_processes=False)
        rules = Rules(limits=pairs, limits_only=True)
        return ConfinedRun(msgspec.structs.replace(spec, confinement=_confinement(rules)), gaps)

    async def _with_ways(
        self, rules: Rules, grants: Grants, env: dict[str, str]
    ) -> tuple[Rules, dict[str, str], Pass | None]:
        """Add the way out through the proxy, and a place for temporary files."""
        given: Pass | None = None
        if rules.rooms and isinstance(grants.net, tuple) and grants.net:
            await self._proxy.start()
            given = self._proxy.admit(grants.net)
            rules = msgspec.structs.replace(rules, proxy=self._proxy.path, token=given.token)
            env = through_proxy(env, _PROXY_URL)
        if rules.rooms:
            if rules.view is not None and rules.view.own_tmp:
                env["TMPDIR"] = "/tmp"  # noqa: S108 - the run's own
        elif grants.write is not True:
            private = os.path.join(tempfile.gettempdir(), f"netscript-workers-{secrets.token_hex(8)}")
            env["TMPDIR"] = private
            rules = _with_private_tmp(rules, private)
        return rules, env, given


class ConfinedRun:
    """One run's confinement. See `ports/sandbox.py`."""

    def __init__(
        self,
        spec: CommandSpec,
        gaps: Sequence[Gap] = (),
        grants: Grants | None = None,
        start: Start | None = None,
        given: Pass | None = None,
        proxy: Proxy | None = None,
        *,
        has_view: bool = False,
        private_tmp: bytes = b"",
    ) -> None:
        self._spec = spec
        self._gaps = tuple(gaps)
        self._grants = grants
        self._start = start
        self._pass = given
        self._proxy = proxy
        self._has_view = has_view
        self._private_tmp = private_tmp

    @property
    def spec(self) -> CommandSpec:
        """The command to start."""
        return self._spec

    @property
    def not_enforced(self) -> tuple[str, ...]:
        """What was asked for and is not enforced."""
        return tuple(str(gap) for gap in self._gaps)

    def denied(self, errors: Sequence[str]) -> str | None:
        """Say what the run was denied, as far as it is known: the proxy's refusals and the watcher's reports are certain."""
        grants, start = self._grants, self._start
        if grants is None or start is None:
            return None
        denials = [Denial("net", host, certain=True) for host in self._pass.refused] if self._pass else []
        denials += found_in(
            errors,
            cwd=self._spec.cwd,
            may_read=lambda path: covers_read(grants, start.needs, path, has_view=self._has_view),
            may_write=lambda path: covers_write(grants, path, has_view=self._has_view),
        )
        return told(denials) if denials else None

    async def close(self) -> None:
        """End the run's way out, and its directory for temporary files where it has no view. Idempotent."""
        if self._private_tmp:  # its watcher does that too, unless it was killed
            await asyncio.to_thread(shutil.rmtree, self._private_tmp, ignore_errors=True)
        if self._pass is not None and self._proxy is not None:
            await self._proxy.withdraw(self._pass)


def _with_payload(start: Start, env: Mapping[str, str]) -> Start:
    file = env.get("TASK_PAYLOAD_FILE")
    if not file:
        return start
    needs = msgspec.structs.replace(start.needs, readable=(*start.needs.readable, os.path.realpath(file)))
    return msgspec.structs.replace(start, needs=needs)


def _with_private_tmp(rules: Rules, place: str) -> Rules:
    rights = landlock.READ | landlock.write_rights(rules.landlock)
    name = os.fsencode(place)
    return msgspec.structs.replace(rules, private_tmp=name, files=(*rules.files, (name, rights)))


def _replaced(
    spec: CommandSpec, argv: Sequence[str], env: Mapping[str, str], rules: Rules | None, kind: str = ""
) -> CommandSpec:
    confinement = None
    if rules is not None:
        words = tuple(os.fsencode(word) for word in argv)
        block = {os.fsencode(name): os.fsencode(value) for name, value in env.items()}
        rules = msgspec.structs.replace(rules, has_program=True, argv=words, env=block)
        confinement = _confinement(rules, kind)
    return msgspec.structs.replace(spec, argv=tuple(argv), env=env, confinement=confinement)


def _confinement(rules: Rules, kind: str = "") -> Confinement:
    return Confinement(module=MODULE, rules=encoded(rules), kind=kind)
