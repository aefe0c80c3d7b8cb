"""What the runner of programs makes of what they say and how they end."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.runners import Seen
from contracts.tasks import Workbench, programs, run
from netscript_workers.domain.outcome import Cause, Kind
from netscript_workers.domain.target import TaskType
from netscript_workers.runners.program_output import LastLine


@pytest.fixture
def bench(tmp_path) -> Workbench:
    return Workbench(tmp_path)


async def outcome_of(bench, script, seen=None, **fields):
    async with programs(bench.surroundings()) as runner:
        return await run(runner, bench.script(script, **fields), None, seen)


@pytest.mark.parametrize(
    ("script", "result"),
    [
        ("echo text", None),
        ("echo '{\"a\": 1}'", {"a": 1}),
        ("printf '{\"a\": 1}'", {"a": 1}),
        ("printf '{\"a\": 1}\\r\\n\\n  \\n'", {"a": 1}),
        ("echo '{\"a\": 1}'; echo '::progress 100 done'", {"a": 1}),
        ("echo '{\"a\": 1}'; echo text", None),
        ("echo '{\"a\": 1}'; echo '{broken'", None),
        ("echo '[1]'", None),
        ("echo '{\"a\": 1}' >&2", None),
        ('printf \'{"a": "%*s"}\' 100000 x', {"a": "x".rjust(100_000)}),
    ],
)
async def test_the_last_line_of_stdout_is_the_result_when_it_is_one_object(bench, script, result):
    outcome = await outcome_of(bench, script)
    assert outcome.kind is Kind.SUCCEEDED
    assert (None if outcome.result is None else json.loads(outcome.result)) == result


@pytest.mark.parametrize(
    ("line", "progress"),
    [
        ("::progress 40 half way", (40.0, "half way")),
        ("::progress 12.5", (12.5, None)),
        ("::progress 101 too far", None),
        ("::progress x", None),
        (" ::progress 40 indented", None),
    ],
)
async def test_lines_of_the_right_form_report_progress_and_others_are_lines(bench, line, progress):
    seen = Seen()
    await outcome_of(bench, f"echo '{line}'; echo '{line}' >&2", seen)
    assert [(each.percent, each.message) for each in seen.reports] == ([progress] * 2 if progress else [])
    assert seen.of("stdout") == seen.of("stderr") == ([] if progress else [line])


async def test_lines_have_their_stream_and_level_and_bytes_that_are_no_text_are_replaced(bench):
    seen = Seen()
    await outcome_of(bench, "printf 'gr\\xfc\\xdf\\n'; echo bad >&2", seen)
    lines = sorted((each.stream, each.level, each.line) for each in seen.all_lines)
    assert lines == [("stderr", "warning", "bad"), ("stdout", "info", "gr\ufffd\ufffd")]


@pytest.mark.parametrize(
    ("script", "kind", "code", "words"),
    [
        ("exit 3", Kind.FAILED, 3, "the program ended with exit status 3"),
        ("echo one >&2; echo two >&2; exit 1", Kind.FAILED, 1, "the program ended with exit status 1: two"),
        ("no-such-command", Kind.FAILED, 127, "exit status 127: a command was not found: "),
        (
            "./not-executable",
            Kind.FAILED,
            126,
            "exit status 126: a command was found and could not be executed",
        ),
        ("sh -c 'kill -SEGV $$'; exit $?", Kind.FAILED, 139, "a shell's for a command killed by SIGSEGV"),
        ("kill -SEGV $$", Kind.CRASHED, -11, "the program killed by SIGSEGV (segmentation fault)"),
        ("kill -KILL $$", Kind.CRASHED, -9, "or the kernel did for want of memory"),
    ],
)
async def test_how_a_program_ended_is_explained(bench, script, kind, code, words):
    (bench.folder / "not-executable").write_text("")
    outcome = await outcome_of(bench, script)
    assert (outcome.kind, outcome.exit_code) == (kind, code)
    assert words in outcome.error


async def test_what_a_failed_program_says_in_json_is_kept(bench):
    outcome = await outcome_of(bench, "echo '{\"why\": 7}'; exit 1")
    assert (outcome.kind, outcome.result) == (Kind.FAILED, b'{"why": 7}')


@pytest.mark.parametrize(
    ("text", "mode", "fields", "code", "words"),
    [
        ("#!/bin/sh\n", 0o644, {}, 126, "make it executable (chmod +x)"),
        ("#!/no/such/interpreter\n", 0o755, {}, 127, "its interpreter (the #! line) does not exist"),
        ("no program\n", 0o755, {}, 126, "a script needs a #! line"),
        ("#!/bin/sh\n", 0o755, {"cwd": "nowhere"}, None, "nowhere cannot be entered"),
        ("#!/bin/sh\n", 0o755, {"args": ("x" * 200_000,)}, None, "are too long for this system"),
    ],
)
async def test_why_a_program_could_not_be_started_is_explained(bench, text, mode, fields, code, words):
    task = bench.script(text, "program", type=TaskType.EXECUTABLE, **fields)
    (bench.folder / "program").chmod(mode)
    async with programs(bench.surroundings()) as runner:
        outcome = await run(runner, task)
    assert (outcome.kind, outcome.cause, outcome.exit_code) == (Kind.FAILED, Cause.FAILURE, code)
    assert words in outcome.error


async def test_a_task_that_cannot_be_run_at_all_fails_for_good_with_the_hint(bench):
    async with programs(bench.surroundings()) as runner:
        outcome = await run(runner, bench.script("", type="ruby"))
    assert (outcome.kind, outcome.retry) == (Kind.FAILED, False)
    assert "no runtime 'ruby'" in outcome.error
    assert "entry point group" in outcome.error


@pytest.mark.skipif("sys.platform != 'linux'")
async def test_what_a_run_used_is_told(bench):
    hold = "python3 -I -S -c 'x = bytearray(60_000_000); sum(range(1_000_000))'"
    outcome = await outcome_of(bench, hold)
    assert outcome.usage.peak_memory > 60_000_000
    assert outcome.usage.cpu_ms > 0


@given(
    st.lists(st.sampled_from([b"{}", b'{"a":1}', b"x" * 21, b"", b"  ", b"::progress 1", b"y"])), st.data()
)
def test_the_last_line_does_not_depend_on_how_the_output_was_cut(lines, data):
    whole = b"\n".join(lines)
    keeper = LastLine(limit=20)
    rest = whole
    while rest:
        cut = data.draw(st.integers(1, len(rest)))
        keeper.feed(rest[:cut])
        rest = rest[cut:]
    counting = [line for line in whole.split(b"\n") if line.strip() and not line.startswith(b"::progress ")]
    last = counting[-1].strip() if counting else b""
    assert keeper.line() == (b"" if len(last) > 20 else last)
