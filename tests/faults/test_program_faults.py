"""Programs that flood, hide, hang and multiply; and a daemon that dies in the middle of one."""

import asyncio
import os
import resource
import signal
from pathlib import Path

import pytest

from contracts.runners import PATIENCE, Seen, until_gone
from contracts.tasks import Workbench, programs, run
from netscript_workers.domain.outcome import Kind
from netscript_workers.domain.target import TaskType
from support.daemons import Project, alive, until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

# Each leaves a process that has nothing of its ancestors: not their parent, session, group or environment.
HIDING = """
hide() { (setsid env -i PATH="$PATH" bash -c 'trap "" TERM HUP; echo $$ > "$0"; while :; do sleep 1; done' "$1" &); }
hide "$PIDS/hidden-$EXECUTION_ID"
setsid bash -c 'echo $$ > "$PIDS/session-$EXECUTION_ID"; sleep 300' &
while [ ! -s "$PIDS/hidden-$EXECUTION_ID" ] || [ ! -s "$PIDS/session-$EXECUTION_ID" ]; do sleep 0.01; done
echo hidden
"""


@pytest.fixture
def bench(tmp_path) -> Workbench:
    return Workbench(tmp_path)


def pids(folder: Path) -> list[int]:
    return [int(path.read_text()) for path in folder.iterdir()]


class Counting(Seen):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.most = 0

    def lines(self, lines) -> None:
        self.count += len(lines)
        self.most = max(self.most, len(lines))
        self.all_lines = list(lines)
        self._changed.set()


@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_run_over_its_time_leaves_no_descendant_while_others_keep_theirs(bench, tmp_path, stubborn):
    folder = tmp_path / "pids"
    folder.mkdir()
    script = HIDING + ("trap '' TERM\n" if stubborn else "") + "while :; do sleep 0.05; done\n"
    task = bench.script(script, env={"PIDS": str(folder)})
    one, other = Seen(), Seen()
    async with programs(bench.surroundings(), term_grace_ms=200) as runner:
        first = asyncio.ensure_future(run(runner, task, None, one, id="one"))
        second = asyncio.ensure_future(run(runner, task, None, other, id="other"))
        await one.until(lambda seen: "hidden" in seen.of("stdout"))
        await other.until(lambda seen: "hidden" in seen.of("stdout"))
        first.cancel()
        await asyncio.wait({first}, timeout=PATIENCE)
        assert first.cancelled()
        for name in ("hidden", "session"):
            assert not alive(int((folder / f"{name}-one").read_text()))
            assert alive(int((folder / f"{name}-other").read_text()))
        second.cancel()
        await asyncio.wait({second}, timeout=PATIENCE)
    assert [pid for pid in pids(folder) if alive(pid)] == []


async def test_what_a_finished_program_leaves_behind_is_ended_before_its_end_is_told(bench, tmp_path):
    folder = tmp_path / "pids"
    folder.mkdir()
    task = bench.script(HIDING, env={"PIDS": str(folder)})
    async with programs(bench.surroundings()) as runner:
        outcome = await run(runner, task)
    assert outcome.kind is Kind.SUCCEEDED
    assert len(pids(folder)) == 2
    assert [pid for pid in pids(folder) if alive(pid)] == []


@pytest.mark.slow
@pytest.mark.parametrize("line", ["y", "x" * 200, ""])
async def test_a_gigabyte_of_output_does_not_make_the_daemon_grow(bench, line):
    source = f"yes '{line}'" if line else "cat /dev/zero"
    task = bench.script(f"{source} | head -c 1000000000; echo; echo '{{\"end\": true}}'")
    seen = Counting()
    async with programs(bench.surroundings()) as runner:
        await run(runner, bench.script("echo warm", "warm.sh"))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        outcome = await run(runner, task, None, seen)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert (outcome.kind, outcome.result) == (Kind.SUCCEEDED, b'{"end": true}')
    assert grown < 64 * 1024  # KiB
    assert seen.most <= 1_001
    assert seen.count < 200_000


@pytest.mark.slow
async def test_a_thousand_runs_leave_no_descriptor_process_or_file(bench):
    big = {"x": "y" * 100_000}
    task = bench.script("cat > /dev/null; echo '{}'")
    fails = bench.script("", "nothing", type=TaskType.EXECUTABLE)
    async with programs(bench.surroundings()) as runner:
        await asyncio.gather(*(run(runner, task, big) for _ in range(10)))
        before = len(os.listdir("/proc/self/fd"))

        async def some(count: int) -> None:
            for number in range(count):
                outcome = await run(
                    runner, fails if number % 10 == 0 else task, big if number % 3 == 0 else {}
                )
                assert outcome.kind in (Kind.SUCCEEDED, Kind.FAILED)

        await asyncio.gather(*(some(100) for _ in range(10)))
        assert len(os.listdir("/proc/self/fd")) <= before
        assert os.listdir(runner._spool) == []
    assert runner._spool is None


async def test_a_fork_bomb_ends_with_its_run(bench, tmp_path):
    seen = Seen()
    bomb = 'f() { [ "$1" -gt 6 ] && exec sleep 300; f $(($1 + 1)) & f $(($1 + 1)) & wait; }; echo up; f 0'
    async with programs(bench.surroundings(), term_grace_ms=50) as runner:
        task = asyncio.ensure_future(run(runner, bench.script(f"trap '' TERM; {bomb}"), None, seen))
        await seen.until(lambda seen: "up" in seen.of("stdout"))
        task.cancel()
        await asyncio.wait({task}, timeout=PATIENCE)
        assert task.cancelled()


async def test_a_daemon_killed_in_the_middle_of_a_task_leaves_nothing_and_the_task_runs_again(tmp_path):
    folder = tmp_path / "pids"
    folder.mkdir()
    config = f"""
lease = "1s"
[[tasks]]
id = "hider"
type = "shell"
entrypoint = "hider.sh"
env = {{ PIDS = "{folder}" }}
max_retries = 3
retry_delay = 0
"""
    project = Project(tmp_path / "project", config)
    tasks = project.folder / "workers" / "tasks"
    tasks.mkdir()
    (tasks / "hider.sh").write_text(
        'if [ "$ATTEMPT" != 1 ]; then echo "{\\"ran\\": $ATTEMPT}"; exit; fi\n' + HIDING + "sleep 300\n"
    )
    daemon = project.start()
    try:
        execution = project.trigger("hider")
        until(lambda: len(list(folder.iterdir())) == 2, "both processes")
        until(lambda: all(path.read_text() for path in folder.iterdir()), "their ids")
        daemon.send_signal(signal.SIGKILL)
        daemon.wait(PATIENCE)
        for pid in pids(folder):
            await until_gone(pid)
    finally:
        daemon.kill()
        daemon.wait(PATIENCE)
    with project.daemon():
        until(lambda: project.json("show", execution)["status"] == "completed", "the second attempt")
    record = project.json("show", execution)
    assert record["attempt"] > 1
    assert record["result"] == {"ran": record["attempt"]}
