"""The sandbox of this host: finds out what a run needs, plans its confinement, keeps its way out, and explains its denials."""

import asyncio
import os
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from netscript_workers.domain.command import CommandSpec, Confinement
from netscript_workers.domain.target import Limits, Target, TaskType
from netscript_workers.errors import PermissionsUnenforceableError
from netscript_workers.sandbox import checks, landlock
from netscript_workers.sandbox.confined_run import ConfinedRun
from netscript_workers.sandbox.environment import through_proxy, visible
from netscript_workers.sandbox.gaps import UNLIMITED, Gap, gaps_of_limits
from netscript_workers.sandbox.grants import Grants, resolve
from netscript_workers.sandbox.host import Host
from netscript_workers.sandbox.leaf import Leaf, Leaves
from netscript_workers.sandbox.limits import resource_limits
from netscript_workers.sandbox.needs import Start, needs_of_job, start_of
from netscript_workers.sandbox.policy import Plan, plan
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
    """Confines tasks by the kernel. `hidden` are files that no run ever sees: the queue's own, say.

    `leaves` gives runs with limits their control groups; without it there are none.
    """

    def __init__(
        self,
        strictness: Strictness,
        hidden: Sequence[str] = (),
        *,
        host: Host | None = None,
        leaves: Leaves | None = None,
    ) -> None:
        self._leaves = leaves or Leaves()
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

    async def confine(self, target: Target, spec: CommandSpec) -> ConfinedRun:
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
        leaf = self._leaves.leaf(target.limits)
        decided = plan(grants, leaf.others, start.needs, host)
        self._judge(target, decided.gaps)
        env = visible(spec.env, target.permissions.env, frozenset(target.env) | _TASK_VARIABLES)
        if decided.rules is None:
            return ConfinedRun(_replaced(spec, start.argv, env, None), decided.gaps)
        rules, env, given, gaps = await self._with_ways(target, decided, grants, env, leaf)
        spec = _replaced(spec, start.argv, env, rules, target.id)
        has_view = bool(rules.rooms)
        tmp = rules.private_tmp
        return ConfinedRun(
            spec, gaps, grants, start, given, self._proxy, has_view=has_view, private_tmp=tmp, leaf=leaf
        )

    async def confine_job(self, target: Target, root: str, environ: Mapping[str, str]) -> ConfinedRun:
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
        leaf = self._leaves.leaf(target.limits)
        decided = plan(grants, leaf.others, needs, host)
        self._judge(target, decided.gaps)
        if decided.rules is None:
            return ConfinedRun(spec, decided.gaps)
        kept = visible(environ, permissions.env, frozenset())
        rules, env, given, gaps = await self._with_ways(target, decided, grants, dict(kept), leaf)
        changed = {
            os.fsencode(name): os.fsencode(value) for name, value in env.items() if kept.get(name) != value
        }
        names = tuple(os.fsencode(name) for name in kept if name in env)
        rules = msgspec.structs.replace(rules, environment=names, env=changed)
        spec = msgspec.structs.replace(spec, env=env, confinement=_confinement(rules))
        start = Start((), needs)
        return ConfinedRun(
            spec,
            gaps,
            grants,
            start,
            given,
            self._proxy,
            has_view=bool(rules.rooms),
            private_tmp=rules.private_tmp,
            leaf=leaf,
        )

    async def stop(self) -> None:
        """End the proxy, and see the last control groups off. Idempotent."""
        await self._proxy.stop()
        await self._leaves.stop()

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

    def _limited(self, target: Target, spec: CommandSpec) -> ConfinedRun:
        """Bind an otherwise unconfined run to its limits."""
        limits = msgspec.structs.replace(target.limits, output=None)
        if limits == Limits():
            return ConfinedRun(spec)
        leaf = self._leaves.leaf(limits)
        gaps = gaps_of_limits(leaf.others)
        self._judge(target, gaps)
        if UNLIMITED in gaps:
            return ConfinedRun(spec, gaps)
        gaps = self._made(target, leaf, gaps)
        reserves = target.type is TaskType.DENO
        pairs = resource_limits(leaf.others, reserves_memory=reserves, counts_processes=False)
        rules = leaf.joined(Rules(limits=pairs, limits_only=True))
        spec = msgspec.structs.replace(spec, confinement=_confinement(rules))
        return ConfinedRun(spec, gaps, leaf=leaf)

    def _made(self, target: Target, leaf: Leaf, gaps: Sequence[Gap], *, our_own: int = 0) -> tuple[Gap, ...]:
        """Make the control group of a run; returns `gaps`, and what it then cannot keep."""
        missing = leaf.make(our_own=our_own)
        self._judge(target, missing)
        return (*gaps, *missing)

    async def _with_ways(
        self, target: Target, decided: Plan, grants: Grants, env: dict[str, str], leaf: Leaf
    ) -> tuple[Rules, dict[str, str], Pass | None, tuple[Gap, ...]]:
        """Add the run's control group, the way out through the proxy, and a place for temporary files."""
        given: Pass | None = None
        rules = decided.rules or Rules()
        has_hosts = bool(rules.rooms) and isinstance(grants.net, tuple) and bool(grants.net)
        if has_hosts:
            await self._proxy.start()
        # From here on nothing is waited for, so that what is made is in the hands of a `ConfinedRun` in any case.
        gaps = self._made(target, leaf, decided.gaps, our_own=1 if rules.rooms else 0)  # the init
        rules = leaf.joined(rules)
        if has_hosts and isinstance(grants.net, tuple):
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
        return rules, env, given, gaps


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
