"""Tasks with permissions through their runner: confined, explained when denied, refused when that cannot be had."""

import asyncio
import sys

import msgspec
import pytest

from contracts.tasks import Seen, Workbench, programs, run
from netscript_workers.domain.outcome import Cause, Kind
from netscript_workers.domain.permissions import PRESETS, Permissions
from netscript_workers.domain.target import Limits, TaskType
from netscript_workers.sandbox.checks import probed
from netscript_workers.sandbox.kernel_sandbox import KernelSandbox, Strictness

MIB = 1 << 20
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")


@pytest.fixture
def bench(tmp_path):
    folder = tmp_path / "tasks"
    folder.mkdir()
    return Workbench(folder)


@pytest.fixture(scope="module")
def host():
    return probed()


async def outcome_of(bench, host, target, seen=None, strictness=Strictness.REQUIRE):
    async with programs(bench.surroundings(), sandbox=KernelSandbox(strictness, host=host)) as runner:
        return await run(runner, target, {"n": 1}, seen)


@pytest.mark.parametrize(
    "type", [TaskType.PYTHON, TaskType.SHELL, TaskType.EXECUTABLE, TaskType.DOTNET], ids=str
)
async def test_a_runtime_starts_with_the_least_permissions(bench, host, type):
    target = bench.task(type, "an argument", permissions=Permissions())
    done = await outcome_of(bench, host, target)
    assert done.kind is Kind.SUCCEEDED, done.error


@pytest.mark.parametrize("preset", PRESETS)
async def test_a_shell_runs_under_every_preset(bench, host, preset):
    target = bench.script('echo "{\\"ok\\": true}"', permissions=PRESETS[preset])
    done = await outcome_of(bench, host, target)
    assert done.result == b'{"ok": true}', done.error


async def test_a_denial_is_an_outcome_of_its_own_and_says_what_to_write(bench, host, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    target = bench.script(f"cat < {secret}", permissions=Permissions())
    done = await outcome_of(bench, host, target)
    assert (done.kind, done.cause) == (Kind.FAILED, Cause.PERMISSION_DENIED)
    assert f'read = ["{secret}"]' in done.error


async def test_a_program_that_is_not_granted_is_named(bench, host):
    done = await outcome_of(bench, host, bench.script("/bin/ls", permissions=Permissions()))
    assert done.cause is Cause.PERMISSION_DENIED
    assert 'run = ["/bin/ls"]' in done.error


@pytest.mark.parametrize("permissions", [None, Permissions()], ids=["free", "confined"])
async def test_the_memory_of_a_task_is_that_of_its_program(bench, host, permissions):
    target = bench.script(
        f"held=$(printf %0{20 * MIB}d 0); echo under way; sleep 60", permissions=permissions
    )
    if permissions is not None:
        target = msgspec.structs.replace(target, permissions=Permissions(run=("sleep",)))
    seen = Seen()
    async with programs(bench.surroundings(), sandbox=KernelSandbox(Strictness.REQUIRE, host=host)) as runner:
        task = asyncio.ensure_future(run(runner, target, {}, seen))
        async with asyncio.timeout(30):
            while "under way" not in seen.of("stdout"):
                await asyncio.sleep(0.01)
        (slot,) = runner.slots()
        assert slot.memory > 20 * MIB
        task.cancel()
        await asyncio.wait({task}, timeout=30)


async def test_an_ordinary_failure_stays_one(bench, host):
    done = await outcome_of(bench, host, bench.script("echo wrong >&2; exit 3", permissions=Permissions()))
    assert (done.cause, done.exit_code) == (Cause.FAILURE, 3)


async def test_what_cannot_be_enforced_is_refused_before_the_run_for_good(bench, host):
    without = msgspec.structs.replace(host, rooms_missing="switched off by the test")
    target = bench.script("touch ran", permissions=Permissions(net=("example.com",)))
    done = await outcome_of(bench, without, target)
    assert (done.cause, done.retry) == (Cause.PERMISSION_DENIED, False)
    assert not (bench.folder / "ran").exists()


async def test_best_effort_runs_and_says_what_was_not_enforced(bench, host):
    without = msgspec.structs.replace(host, rooms_missing="switched off by the test")
    target = bench.script("echo ran", permissions=Permissions(net=("example.com",)))
    seen = Seen()
    done = await outcome_of(bench, without, target, seen, Strictness.BEST_EFFORT)
    assert done.kind is Kind.SUCCEEDED
    assert any("not enforced: net: a list of hosts" in line.line for line in seen.all_lines)


async def test_off_enforces_nothing(bench, host, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    done = await outcome_of(
        bench, host, bench.script(f"cat < {secret}", permissions=Permissions()), strictness=Strictness.OFF
    )
    assert done.kind is Kind.SUCCEEDED


async def test_a_run_that_writes_more_than_it_may_is_ended(bench, host):
    target = bench.script(
        "while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done", limits=Limits(output=100_000)
    )
    done = await outcome_of(bench, host, target)
    assert "limits.output of 100000 bytes" in done.error
    assert done.usage.cpu_ms is not None


@pytest.mark.parametrize("permissions", [None, Permissions()], ids=["limited", "confined"])
async def test_a_run_that_gets_no_more_memory_says_under_which_limit(bench, host, permissions):
    (bench.folder / "fills.py").write_text("len(b'x' * 900_000_000)\n")
    target = bench.task(TaskType.PYTHON, permissions=permissions, limits=Limits(memory=400 * MIB))
    target = msgspec.structs.replace(target, path=str(bench.folder / "fills.py"))
    done = await outcome_of(bench, host, target)
    assert (done.kind, done.exit_code) == (Kind.FAILED, 1)
    assert f"limits.memory of {400 * MIB} bytes" in done.error


async def test_limits_bind_without_permissions_too(bench, host):
    done = await outcome_of(bench, host, bench.script("while :; do :; done", limits=Limits(cpu_seconds=1)))
    assert done.kind is Kind.CRASHED
    assert "limits.cpu_seconds of 1" in done.error


async def test_a_large_payload_reaches_a_confined_run(bench, host):
    target = bench.script('wc -c < "$TASK_PAYLOAD_FILE"', permissions=Permissions(run=("wc",)))
    async with programs(bench.surroundings(), sandbox=KernelSandbox(Strictness.REQUIRE, host=host)) as runner:
        done = await run(runner, target, {"text": "x" * 200_000})
    assert done.kind is Kind.SUCCEEDED, done.error
