"""What a host has or lacks decides what is shown, what is refused, and in which words: /etc, macOS, Windows."""

import os
import sys

import pytest

from contracts.tasks import Seen, Workbench, programs, run
from netscript_workers.domain.command import CommandSpec
from netscript_workers.domain.outcome import Cause, Kind
from netscript_workers.domain.permissions import Permissions
from netscript_workers.domain.target import Limits
from netscript_workers.errors import SlotError
from netscript_workers.sandbox import checks, limits, probe
from netscript_workers.sandbox.host import Host
from netscript_workers.sandbox.kernel_sandbox import KernelSandbox, Strictness
from support import ground
from support.confined import NOBODY, Order, run_as

ETC = """
import os
def stopped(path):
    try: open(path).close()
    except OSError as error: return type(error).__name__
    return "opened"
names = os.path.exists("/etc/fstab")
print(names, stopped("/etc/fstab"), stopped("/etc/shadow"), stopped("/etc/passwd"), *sorted(os.listdir("/")))
"""
SHOWN = {"bin", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "sbin", "tmp", "usr"}
MAC = Host(
    kernel="24.1",
    machine="",
    landlock=0,
    is_root=False,
    rooms_missing="the sandbox needs Linux on x86_64 or aarch64, and this is Darwin on arm64",
    filter_missing="the sandbox needs Linux on x86_64 or aarch64, and this is Darwin on arm64",
)
needs_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0,
    reason="only root can show both root's runs and an ordinary user's",
)


@pytest.fixture
def bench(tmp_path):
    folder = tmp_path / "tasks"
    folder.mkdir()
    return Workbench(folder)


@needs_root
@pytest.mark.parametrize("user", [0, NOBODY], ids=["root", "ordinary user"])
@pytest.mark.parametrize(
    ("landlock", "fstab"),
    [
        (None, ["True", "PermissionError", "PermissionError"]),
        (0, ["False", "FileNotFoundError", "FileNotFoundError"]),
    ],
    ids=["with landlock", "without landlock"],
)
def test_names_in_etc_are_shown_where_landlock_keeps_what_they_hold(user, landlock, fstab):
    order = Order(
        argv=(ground.needs_system_python(), "-I", "-c", ETC),
        cwd="/",
        permissions=Permissions(),
        landlock=landlock,
    )
    done = run_as(user, [order])[0]
    assert done.status == 0, done
    words = done.out.split()
    assert words[:4] == [*fstab, "opened"]
    assert set(words[4:]) <= SHOWN


async def outcome_on(host, bench, target, strictness=Strictness.REQUIRE, seen=None):
    async with programs(bench.surroundings(), sandbox=KernelSandbox(strictness, host=host)) as runner:
        return await run(runner, target, {}, seen)


async def test_on_macos_a_task_with_permissions_is_refused_and_says_what_it_needs(bench):
    target = bench.script("touch ran", permissions=Permissions())
    done = await outcome_on(MAC, bench, target)
    assert (done.kind, done.cause, done.retry) == (Kind.FAILED, Cause.PERMISSION_DENIED, False)
    assert "the sandbox needs Linux on x86_64 or aarch64, and this is Darwin" in done.error
    assert "best-effort" in done.error
    assert not (bench.folder / "ran").exists()


async def test_on_macos_best_effort_runs_it_and_tells(bench):
    seen = Seen()
    target = bench.script("echo ran", permissions=Permissions())
    done = await outcome_on(MAC, bench, target, Strictness.BEST_EFFORT, seen)
    assert done.kind is Kind.SUCCEEDED
    assert any("not enforced: permissions: the sandbox needs Linux" in line.line for line in seen.all_lines)


async def test_on_macos_a_task_without_permissions_runs(bench):
    assert (await outcome_on(MAC, bench, bench.script("true"))).kind is Kind.SUCCEEDED


async def test_limits_are_never_set_by_the_numbers_of_another_system(bench, monkeypatch):
    monkeypatch.setattr(limits.sys, "platform", "darwin")
    limited = bench.script("ulimit -n", limits=Limits(open_files=64))
    gaps = checks.missing(None, limited.limits, MAC)
    sandbox = KernelSandbox(Strictness.BEST_EFFORT, host=MAC)
    spec = (await sandbox.confine(limited, command_of(bench))).spec
    monkeypatch.undo()
    assert [gap.permission for gap in gaps] == ["limits"]
    assert spec.confinement is None


def command_of(bench):
    return CommandSpec(argv=("/bin/true",), env={}, cwd=str(bench.folder))


def test_the_probe_of_another_system_names_it(monkeypatch):
    monkeypatch.setattr(probe, "this_machine", lambda: None)
    monkeypatch.setattr(probe.platform, "system", lambda: "Darwin")
    found = probe.probe()
    assert "needs Linux on x86_64 or aarch64, and this is Darwin" in found.filter_missing
    told = {each.name: each for each in checks.abilities(found)}
    assert not told["read, write"].works
    assert told["read, write"].cure


async def test_on_windows_a_task_says_where_it_could_run(bench, monkeypatch):
    monkeypatch.setattr("netscript_workers.processes.spawner.sys.platform", "win32")
    with pytest.raises(SlotError, match="needs Linux or macOS; on Windows run the daemon in WSL"):
        async with programs(bench.surroundings()):
            pass
