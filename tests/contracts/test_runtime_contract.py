"""What every runtime does alike, each with the real tool; `pwsh` and `cmd` through stand-ins that record how they are called."""

import asyncio
import json
import time

import pytest

from contracts.runners import PATIENCE, Seen
from contracts.tasks import Workbench, programs, run
from netscript_workers.domain.outcome import Cause, Kind
from netscript_workers.domain.target import TaskType

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]


@pytest.fixture
def bench(tmp_path) -> Workbench:
    return Workbench(tmp_path)


@pytest.fixture(params=[each.value for each in TaskType])
def type(request) -> TaskType:
    return TaskType(request.param)


async def test_a_program_gets_arguments_environment_and_payload_and_gives_lines_progress_and_a_result(
    bench, type
):
    seen = Seen()
    async with programs(bench.surroundings()) as runner:
        outcome = await run(runner, bench.task(type, "echo", "a", "b c"), {"text": "Grüße"}, seen)
    assert (outcome.kind, outcome.error, outcome.exit_code) == (Kind.SUCCEEDED, None, 0)
    payload = {"text": "Grüße"}
    assert json.loads(outcome.result) == {
        "args": "a|b c",
        "stdin": payload,
        "payload": payload,
        "mine": "own",
    }
    assert seen.of("stdout")[0] == "plain line"
    assert "to stderr" in seen.of("stderr")
    assert [(each.percent, each.message) for each in seen.reports] == [(40.0, "half way")]


async def test_a_payload_too_big_for_an_environment_is_in_a_file_and_on_standard_input(bench, type):
    async with programs(bench.surroundings()) as runner:
        outcome = await run(runner, bench.task(type, "size"), {"big": "x" * 300_000})
    size = len(json.dumps({"big": "x" * 300_000}))
    assert json.loads(outcome.result) == {"stdin": size, "file": size}


async def test_an_exit_status_other_than_zero_is_a_failure_that_names_it(bench, type):
    async with programs(bench.surroundings()) as runner:
        outcome = await run(runner, bench.task(type, "fail"))
    assert (outcome.kind, outcome.cause, outcome.exit_code, outcome.retry) == (
        Kind.FAILED,
        Cause.FAILURE,
        3,
        True,
    )
    assert outcome.error == "the program ended with exit status 3: to stderr"


async def test_a_program_that_ignores_its_end_is_ended_with_all_it_started(bench, type):
    seen = Seen()
    async with programs(bench.surroundings(), term_grace_ms=100) as runner:
        task = asyncio.ensure_future(run(runner, bench.task(type, "hang"), None, seen))
        await seen.until(lambda seen: "hanging" in seen.of("stdout"))
        (slot,) = runner.slots()
        assert (slot.mode, slot.execution_id) == ("program", "run-1")
        began = time.monotonic()
        task.cancel()
        await asyncio.wait({task}, timeout=PATIENCE)
        assert task.cancelled()
        assert time.monotonic() - began < PATIENCE
        assert runner.slots() == []


@pytest.mark.parametrize(
    ("type", "words"),
    [
        (TaskType.DENO, "deno was not found on this host (exit status 127): install it"),
        (TaskType.DOTNET, "dotnet was not found"),
        (TaskType.POWERSHELL, "pwsh was not found"),
        (TaskType.CMD, "cmd.exe was not found"),
        (TaskType.PYTHON, "python3 was not found"),
    ],
)
async def test_a_missing_tool_is_named_with_how_to_come_by_it(bench, type, words):
    task = bench.script("", "echo.dll", type=type)
    async with programs(bench.surroundings(PATH="/nowhere")) as runner:
        outcome = await run(runner, task)
    assert (outcome.kind, outcome.exit_code) == (Kind.FAILED, 127)
    assert outcome.error.startswith(words)


async def test_powershell_and_cmd_are_called_by_their_exact_command_lines(bench):
    async with programs(bench.surroundings()) as runner:
        task = bench.task(TaskType.POWERSHELL, "echo", "x")
        await run(runner, task)
        options = ["-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File"]
        assert json.loads(bench.recorded.read_text()) == [*options, task.path, "echo", "x"]
        task = bench.task(TaskType.CMD, "echo", "x")
        await run(runner, task)
        assert json.loads(bench.recorded.read_text()) == ["/c", task.path, "echo", "x"]
