"""A reload taken or given up beside runs that are confined or limited."""

import asyncio
import json
import os
import signal
import sys

import pytest

from contracts.runners import PATIENCE, Seen, execution
from netscript_workers.authoring.loading import HandlerRef
from netscript_workers.domain.outcome import Kind
from netscript_workers.domain.permissions import Permissions
from netscript_workers.domain.target import ConfinedMode, Limits
from netscript_workers.runners.fleet import Fleet, FleetPlan
from netscript_workers.runners.granted import GrantedJobs
from netscript_workers.sandbox.kernel_sandbox import KernelSandbox, Strictness
from runners.test_confined_jobs import FAR, HANDLERS, MIB, job, serving

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")


def plan(sandbox: KernelSandbox, *modes: ConfinedMode) -> FleetPlan:
    names = ("fetches_later", "reports")
    refs = [HandlerRef(name, str(HANDLERS), name) for name in names]
    shown = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    granted = GrantedJobs(ids=frozenset(names), handlers=refs, environment=shown)
    return FleetPlan(
        modes=set(modes), handlers=refs, root=str(HANDLERS.parent), sandbox=sandbox, granted=[granted]
    )


async def test_a_reload_that_is_given_up_leaves_the_ways_out_of_runs_under_way(tmp_path):
    sandbox, gate, seen = KernelSandbox(Strictness.REQUIRE), tmp_path / "gate", Seen()
    fleet = Fleet(plan(sandbox, ConfinedMode.CONFINED))
    await fleet.start()
    try:
        with serving() as port:
            grant = Permissions(net=(f"localhost:{port}",), read=(str(tmp_path),))
            payload = {"gate": str(gate), "url": f"http://localhost:{port}/"}
            target = job("fetches_later", grant)
            run = asyncio.ensure_future(
                fleet.runners[target.mode].run(execution(target.id, payload), target, FAR, seen)
            )
            await seen.under_way()
            await fleet.abandon(await fleet.prepare(plan(sandbox, *ConfinedMode)))
            gate.touch()
            done = await asyncio.wait_for(run, PATIENCE)
        assert json.loads(done.result or b"0") == "served", done.error
    finally:
        await fleet.stop(2_000)


async def test_a_limited_run_that_waits_for_a_process_that_is_gone_gets_one_of_the_new_code(monkeypatch):
    async def never_again(*_args: object) -> None:
        await asyncio.Event().wait()

    sandbox = KernelSandbox(Strictness.REQUIRE)
    fleet = Fleet(plan(sandbox, ConfinedMode.LIMITED))
    await fleet.start()
    try:
        source = fleet._source
        monkeypatch.setattr(source, "_launch", never_again)
        os.kill(source.zygote_pid, signal.SIGKILL)
        async with asyncio.timeout(PATIENCE):
            while source.zygote_pid:
                await asyncio.sleep(0.01)
        target = job("reports", None, Limits(memory=800 * MIB))
        run = asyncio.ensure_future(fleet.runners[target.mode].run(execution(target.id), target, FAR, Seen()))
        for _ in range(10):
            await asyncio.sleep(0)
        fleet.renew(await fleet.prepare(plan(sandbox, ConfinedMode.LIMITED)))
        assert (await asyncio.wait_for(run, PATIENCE)).kind is Kind.SUCCEEDED
    finally:
        await fleet.stop(2_000)
