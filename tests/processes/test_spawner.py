"""Programs by way of the spawner: what they get, how they end, and that nothing of them is left."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from netscript_workers.domain.command import CommandSpec, Confinement
from netscript_workers.errors import SlotError
from netscript_workers.processes.spawn_messages import Exited
from netscript_workers.processes.spawner import Spawner

PATIENCE = 20.0
ENVIRONMENT = {"PATH": os.environ["PATH"]}
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="programs are started by a POSIX helper")


@pytest.fixture
async def spawner() -> AsyncIterator[Spawner]:
    one = Spawner()
    await one.start()
    yield one
    await one.stop(2_000)


def command(*argv: str, **more: object) -> CommandSpec:
    return CommandSpec(argv=argv, **{"env": ENVIRONMENT, "cwd": "/", **more})


async def output(fd: int) -> bytes:
    """Read to the end, and close."""
    pieces = []
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                piece = os.read(fd, 65_536)
            except BlockingIOError:
                await asyncio.sleep(0.005)
                continue
            if not piece:
                break
            pieces.append(piece)
    os.close(fd)
    return b"".join(pieces)


async def run(spawner: Spawner, spec: CommandSpec) -> tuple[Exited, bytes, bytes]:
    child = await spawner.spawn(spec)
    out, err = await asyncio.gather(output(child.stdout), output(child.stderr))
    async with asyncio.timeout(PATIENCE):
        ended = await child.ended
    assert ended is not None
    return ended, out, err


async def test_a_program_gets_its_arguments_environment_directory_and_input_and_nothing_else(
    spawner, tmp_path
):
    script = 'echo "$1"; pwd; cat; echo; env | sort; ls /proc/self/fd | wc -l'
    spec = command("sh", "-c", script, "sh", "two words", cwd=str(tmp_path), stdin=b'{"a": 1}')
    ended, out, _ = await run(spawner, spec)
    assert ended.status == 0
    lines = out.decode().splitlines()
    assert lines[:3] == ["two words", str(tmp_path), '{"a": 1}']
    names = {line.partition("=")[0] for line in lines[3:-1]}
    assert names <= {"PATH", "PWD", "OLDPWD", "SHLVL", "_"}
    assert lines[-1].strip() == "4"  # the three, and the one that ls reads the directory with


@pytest.mark.parametrize("size", [0, 10, 65_536, 65_537, 3_000_000])
async def test_input_of_any_size_is_read_to_its_end(spawner, size):
    _, out, _ = await run(spawner, command("wc", "-c", stdin=b"x" * size))
    assert int(out) == size


async def test_a_program_leads_its_session_and_has_every_signal_at_its_default(spawner):
    script = (
        "import os,signal;print(os.getpid()==os.getsid(0)==os.getpgid(0),signal.getsignal(signal.SIGTERM),"
    )
    script += "signal.pthread_sigmask(signal.SIG_BLOCK,[]))"
    _, out, _ = await run(spawner, command(sys.executable, "-I", "-S", "-c", script))
    assert out.split() == [b"True", b"0", b"set()"]


@pytest.mark.parametrize(
    ("argv", "cwd", "step", "number"),
    [
        (("no-such-program",), "/", "exec", 2),
        (("/etc/passwd",), "/", "exec", 13),
        (("true",), "/no/such/directory", "cwd", 2),
    ],
)
async def test_what_cannot_be_started_is_refused_with_the_reason(spawner, argv, cwd, step, number):
    child = await spawner.spawn(command(*argv, cwd=cwd))
    async with asyncio.timeout(PATIENCE):
        ended = await child.ended
    assert child.refused is not None
    assert (child.refused.step, child.refused.number, ended.status) == (step, number, 127)
    assert await output(child.stdout) == await output(child.stderr) == b""
    assert (await run(spawner, command("echo", "next")))[1] == b"next\n"


async def test_an_end_by_a_signal_is_told_as_minus_its_number(spawner):
    ended, _, _ = await run(spawner, command("sh", "-c", "kill -SEGV $$"))
    assert ended.status == -signal.SIGSEGV


async def test_nothing_that_a_program_leaves_behind_outlives_it(spawner, tmp_path):
    marks = [tmp_path / name for name in ("plain", "session", "daemon")]
    script = (
        'sh -c "echo \\$\\$ > $1; exec sleep 300" & setsid sh -c "echo \\$\\$ > $2; exec sleep 300" & '
        '(setsid env -i PATH="$PATH" sh -c "echo \\$\\$ > $3; exec sleep 300" &) ; '
        "while [ ! -s $1 ] || [ ! -s $2 ] || [ ! -s $3 ]; do sleep 0.01; done"
    )
    ended, _, _ = await run(spawner, command("sh", "-c", script, "sh", *map(str, marks)))
    assert (ended.status, ended.survivors) == (0, 0)
    for mark in marks:
        assert not Path(f"/proc/{mark.read_text().strip()}").exists()


async def test_a_signal_reaches_the_group_and_a_kill_the_whole_tree(spawner):
    script = "trap '' TERM; (setsid sleep 300 &) ; echo up; while :; do sleep 0.01; done"
    child = await spawner.spawn(command("sh", "-c", script))
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                assert os.read(child.stdout, 10) == b"up\n"
                break
            except BlockingIOError:
                await asyncio.sleep(0.005)
        child.signal(signal.SIGTERM)
        child.kill()
        ended = await child.ended
    assert (ended.status, ended.survivors) == (-signal.SIGKILL, 0)
    assert await output(child.stdout) == await output(child.stderr) == b""


async def test_a_killed_keeper_fails_its_program_alone(spawner):
    child = await spawner.spawn(command("sleep", "300"))
    async with asyncio.timeout(PATIENCE):
        while not child.pid:
            await asyncio.sleep(0.005)
        keeper = int(Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(keeper, signal.SIGKILL)
        assert await child.ended is None
        while Path(f"/proc/{child.pid}").exists():
            await asyncio.sleep(0.005)
    assert await output(child.stdout) == await output(child.stderr) == b""
    assert (await run(spawner, command("echo", "next")))[1] == b"next\n"


async def test_when_the_source_of_keepers_is_killed_its_programs_end_and_the_next_one_runs(spawner):
    child = await spawner.spawn(command("sh", "-c", "setsid sleep 300 & sleep 300"))
    async with asyncio.timeout(PATIENCE):
        while not child.pid:
            await asyncio.sleep(0.005)
        os.kill(spawner.pid, signal.SIGKILL)
        assert await child.ended is None
        assert await output(child.stdout) == await output(child.stderr) == b""
        assert (await run(spawner, command("echo", "next")))[1] == b"next\n"


async def test_stopping_ends_what_runs_and_nothing_starts_afterwards(spawner):
    child = await spawner.spawn(command("sleep", "300"))
    await spawner.stop(5_000)
    assert await child.ended is None
    assert await output(child.stdout) == await output(child.stderr) == b""
    with pytest.raises(SlotError, match="outside the life"):
        await spawner.spawn(command("true"))


async def test_a_confinement_is_applied_in_the_new_process_before_the_program(tmp_path, monkeypatch):
    (tmp_path / "tight.py").write_text(
        "import os\n"
        "def apply(rules):\n"
        "    if rules == b'fault': raise OSError(1, 'not allowed here')\n"
        "    os.umask(int(rules, 8))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    one = Spawner(["tight"])
    await one.start()
    try:
        tight = Confinement(module="tight", rules=b"0247")
        _, out, _ = await run(one, command("sh", "-c", "umask", confinement=tight))
        assert out == b"0247\n"
        child = await one.spawn(command("true", confinement=Confinement(module="tight", rules=b"fault")))
        await child.ended
        assert child.refused is not None
        assert (child.refused.step, child.refused.reason) == ("confinement", "not allowed here")
        assert await output(child.stdout) == await output(child.stderr) == b""
    finally:
        await one.stop(2_000)
    with pytest.raises(SlotError, match="no_such_module"):
        await Spawner(["no_such_module"]).start()


async def test_a_confined_program_gets_the_keeper_that_had_one_of_its_kind(tmp_path, monkeypatch):
    (tmp_path / "loose.py").write_text("def apply(rules): pass\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    one = Spawner(["loose"])
    await one.start()

    def keeper_of(kind):
        confinement = Confinement(module="loose", kind=kind) if kind else None
        return one.spawn(command("sh", "-c", "read line; echo $PPID", stdin=b"\n", confinement=confinement))

    async def keepers(*kinds):
        children = [await keeper_of(kind) for kind in kinds]
        found = [await output(child.stdout) for child in children]
        for child in children:
            await child.ended
            await output(child.stderr)
        return found

    try:
        first, second, plain = await keepers("first", "second", "")
        assert len({first, second, plain}) == 3
        for kinds in (("second", "first", ""), ("", "first", "second"), ("second",), ("",), ("first",)):
            expected = {"first": first, "second": second, "": plain}
            assert await keepers(*kinds) == [expected[kind] for kind in kinds]
    finally:
        await one.stop(2_000)
