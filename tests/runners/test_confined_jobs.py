"""Jobs with permissions and limits run in a process that the kernel holds to them, whatever their runner mode says."""

import asyncio
import contextlib
import http.server
import json
import os
import sys
import tempfile
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

import support
from contracts.runners import PATIENCE, Seen, execution
from netscript_workers.authoring.loading import HandlerRef
from netscript_workers.domain.outcome import Cause, Kind, Outcome
from netscript_workers.domain.permissions import Permissions
from netscript_workers.domain.target import Concept, ConfinedMode, Limits, Source, Target
from netscript_workers.runners.fleet import build_runners
from netscript_workers.runners.granted import GrantedJobs
from netscript_workers.sandbox.checks import probed
from netscript_workers.sandbox.host import Host
from netscript_workers.sandbox.kernel_sandbox import KernelSandbox, Strictness
from support import ground

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")
HANDLERS = Path(__file__).parent / "confined_handlers.py"
MIB = 1 << 20
NO_LIMITS = Limits()
FAR = 1 << 50
NOTHING = Host(
    kernel="3.2",
    machine="x86_64",
    landlock=0,
    is_root=False,
    rooms_missing="too old",
    filter_missing="too old",
)


@pytest.fixture(scope="module")
def host() -> Host:
    return probed()


def job(name: str, permissions: Permissions | None = None, limits: Limits = NO_LIMITS) -> Target:
    return Target(
        id=name,
        concept=Concept.JOB,
        source=Source.DIRECTORY,
        file=str(HANDLERS),
        path=str(HANDLERS),
        permissions=permissions,
        limits=limits,
    )


@contextlib.asynccontextmanager
async def running(target: Target, sandbox: KernelSandbox, file: Path = HANDLERS) -> AsyncIterator[object]:
    refs = [HandlerRef(target.id, str(file), target.id)]
    environ = {
        "PATH": os.environ["PATH"],
        "SEEN": "1",
        "SECRET": "token",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    runner = build_runners(
        modes={target.mode},
        handlers=refs,
        root=str(file.parent),
        sandbox=sandbox,
        granted=[GrantedJobs(ids=frozenset({target.id}), handlers=refs, environment=environ)],
    )[target.mode]
    await runner.start()
    try:
        yield runner
    finally:
        await runner.stop(2_000)


async def outcome_of(
    host: Host, target: Target, payload: object = None, *, seen: Seen | None = None, **options: object
) -> Outcome:
    sandbox = KernelSandbox(options.get("strictness", Strictness.REQUIRE), host=host)
    async with running(target, sandbox, options.get("file", HANDLERS)) as runner:
        return await runner.run(execution(target.id, payload), target, FAR, seen or Seen())


async def test_a_file_that_is_not_granted_cannot_be_read_and_the_outcome_says_what_to_write(host, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    done = await outcome_of(host, job("reads", Permissions()), {"path": str(secret)})
    assert (done.kind, done.cause) == (Kind.FAILED, Cause.PERMISSION_DENIED)
    assert f'read = ["{secret}"]' in done.error


async def test_a_file_that_is_granted_can_be_read_but_not_written(host, tmp_path):
    file = tmp_path / "file"
    file.write_text("as granted")
    grant = Permissions(read=(str(file),))
    done = await outcome_of(host, job("reads", grant), {"path": str(file)})
    assert json.loads(done.result) == "as granted"
    done = await outcome_of(host, job("writes", grant), {"path": str(file)})
    assert done.cause is Cause.PERMISSION_DENIED
    assert file.read_text() == "as granted"


async def test_relative_paths_mean_the_same_in_a_grant_and_in_the_job(host, tmp_path, monkeypatch):
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "one").write_text("first")
    monkeypatch.chdir(tmp_path)
    done = await outcome_of(host, job("reads", Permissions(read=("./orders",))), {"path": "orders/one"})
    assert json.loads(done.result or b"0") == "first", done.error


async def test_it_has_a_place_of_its_own_for_temporary_files(host):
    done = await outcome_of(host, job("uses_own_tmp", Permissions()))
    assert json.loads(done.result or b"0") == "mine", done.error


async def test_no_network_is_no_network(host):
    with serving() as port:
        done = await outcome_of(host, job("connects", Permissions()), {"port": port})
        assert (done.kind, done.cause) == (Kind.FAILED, Cause.PERMISSION_DENIED), done.error
        done = await outcome_of(host, job("connects", Permissions(net=True)), {"port": port})
        assert done.kind is Kind.SUCCEEDED, done.error


async def test_a_listed_host_is_reached_through_the_proxy_and_no_other(host):
    with serving() as port:
        url = f"http://localhost:{port}/"
        done = await outcome_of(host, job("fetches", Permissions(net=(f"localhost:{port}",))), {"url": url})
        assert json.loads(done.result or b"0") == "served", done.error
        done = await outcome_of(host, job("fetches", Permissions(net=("example.com:80",))), {"url": url})
        assert done.cause is Cause.PERMISSION_DENIED
        assert f"localhost:{port}" in done.error


async def test_no_program_is_started_without_the_grant(host):
    done = await outcome_of(host, job("starts_program", Permissions()))
    assert (done.kind, done.cause) == (Kind.FAILED, Cause.PERMISSION_DENIED), done.error
    done = await outcome_of(host, job("starts_program", Permissions(run=True)))
    assert json.loads(done.result or b"0") == "ran\n", done.error


async def test_only_the_variables_granted_are_seen(host):
    done = await outcome_of(host, job("sees_environment", Permissions(env=("SEEN",))))
    seen = json.loads(done.result or b"{}")
    assert "SEEN" in seen["names"]
    assert "SECRET" not in seen["names"]
    assert seen["block"] == ""


async def test_reports_and_the_result_come_out_of_the_confinement(host):
    seen = Seen()
    done = await outcome_of(host, job("reports", Permissions()), seen=seen)
    assert done.kind is Kind.SUCCEEDED, done.error
    assert [report.percent for report in seen.reports] == [50]
    assert (seen.of("log"), seen.of("stdout")) == (["from inside"], ["printed"])


async def test_no_attack_of_the_hostile_suite_succeeds_from_a_job(host):
    tests = Path(support.__path__[0]).parent
    with ground.laid_out(os.getuid()) as place:
        grant = Permissions(read=(place.granted, str(tests)), write=(place.out,))
        done = await outcome_of(host, job("attacks", grant), {"at": json.dumps(place.at)})
    tried = json.loads(done.result or b"{}")
    assert tried, done.error
    assert [name for name, stopped in tried.items() if not stopped] == []


async def test_what_cannot_be_enforced_is_refused_before_the_run(tmp_path):
    target = job("reads", Permissions())
    done = await outcome_of(NOTHING, target, {"path": "/etc/hostname"})
    assert (done.kind, done.cause, done.retry) == (Kind.FAILED, Cause.PERMISSION_DENIED, False)
    assert "workers doctor" in done.error


async def test_best_effort_runs_and_records_what_was_not_enforced():
    seen = Seen()
    done = await outcome_of(
        NOTHING, job("reports", Permissions()), seen=seen, strictness=Strictness.BEST_EFFORT
    )
    assert done.kind is Kind.SUCCEEDED, done.error
    assert any(line.startswith("not enforced: ") for line in seen.of("log"))


async def test_confinement_holds_where_slots_are_fresh_interpreters(host, tmp_path):
    threaded = tmp_path / "threaded.py"
    threaded.write_text(
        HANDLERS.read_text() + "\nimport threading\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    secret = tmp_path.parent / "secret-beside"
    secret.write_text("x")
    try:
        done = await outcome_of(host, job("reads", Permissions()), {"path": str(secret)}, file=threaded)
        assert (done.kind, done.cause) == (Kind.FAILED, Cause.PERMISSION_DENIED), done.error
        done = await outcome_of(host, job("reports", Permissions()), file=threaded)
        assert done.kind is Kind.SUCCEEDED, done.error
    finally:
        secret.unlink()


@pytest.mark.parametrize("permissions", [None, Permissions()], ids=["limited", "confined"])
@pytest.mark.parametrize(
    ("name", "payload", "limits", "words"),
    [
        ("spins", {}, Limits(cpu_seconds=1), "limits.cpu_seconds of 1"),
        ("fills", {"bytes": 800 * MIB}, Limits(memory=400 * MIB), "limits.memory of 419430400"),
        ("opens", {"count": 100}, Limits(open_files=40), "Too many open files"),
        ("chatters", {"lines": 10_000}, Limits(output=10_000), "limits.output of 10000"),
    ],
)
async def test_a_run_over_a_limit_ends_and_says_so(host, name, payload, limits, words, permissions):
    done = await outcome_of(host, job(name, permissions, limits), payload)
    assert done.kind in (Kind.FAILED, Kind.CRASHED)
    assert words in done.error
    assert done.usage.cpu_ms is not None


@pytest.mark.parametrize("permissions", [None, Permissions()], ids=["limited", "confined"])
async def test_a_run_within_its_limits_succeeds(host, permissions):
    limits = Limits(cpu_seconds=30, memory=800 * MIB, open_files=100, output=100_000)
    done = await outcome_of(host, job("chatters", permissions, limits), {"lines": 10})
    assert done.kind is Kind.SUCCEEDED, done.error


async def test_a_run_that_is_killed_leaves_no_directory_where_it_had_no_view(host, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    bare = msgspec.structs.replace(host, rooms_missing="switched off by the test")
    target, seen = job("hangs", Permissions()), Seen()
    async with running(target, KernelSandbox(Strictness.REQUIRE, host=bare)) as runner:
        task = asyncio.ensure_future(runner.run(execution(target.id), target, FAR, seen))
        await seen.under_way()
        assert list(tmp_path.glob("netscript-workers-*/left"))
        task.cancel()
        await asyncio.wait({task}, timeout=PATIENCE)
        assert task.cancelled()
        assert not list(tmp_path.glob("netscript-workers-*"))


@pytest.mark.parametrize("permissions", [None, Permissions()], ids=["limited", "confined"])
async def test_the_memory_of_a_slot_is_that_of_the_job(host, permissions):
    target, seen = job("holds", permissions, Limits(cpu_seconds=60)), Seen()
    async with running(target, KernelSandbox(Strictness.REQUIRE, host=host)) as runner:
        task = asyncio.ensure_future(
            runner.run(execution(target.id, {"bytes": 200 * MIB}), target, FAR, seen)
        )
        await seen.under_way()
        (slot,) = runner.slots()
        assert slot.memory > 200 * MIB
        task.cancel()
        await asyncio.wait({task}, timeout=PATIENCE)


async def test_processes_are_counted_for_the_run_alone(host):
    done = await outcome_of(host, job("forks", Permissions(), Limits(processes=4)), {"count": 20})
    # Root's processes are never counted, so that there the limit is refused with its reason.
    words = "never for root" if host.is_root else "BlockingIOError"
    assert (done.kind, words in done.error) == (Kind.FAILED, True), done.error


def test_a_job_with_permissions_or_limits_gets_a_process_of_its_own_whatever_its_mode_says():
    assert job("reads", Permissions()).mode is ConfinedMode.CONFINED
    assert job("reads", None, Limits(memory=MIB)).mode is ConfinedMode.LIMITED
    plain = job("reads")
    assert plain.mode is plain.runtime
    assert msgspec.structs.replace(plain, permissions=Permissions()).mode is ConfinedMode.CONFINED


@contextlib.contextmanager
def serving():
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"served")

        def log_message(self, *_arguments):
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
