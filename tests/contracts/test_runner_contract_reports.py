"""Every mode brings up what a run reports: progress, log lines, what it prints, what it used."""

import asyncio

import pytest

from contracts import runners
from contracts.runners import ISOLATED, MODES, Seen, run
from netscript_workers.domain.execution import Progress
from netscript_workers.domain.outcome import Kind
from netscript_workers.domain.target import Mode

# The runner is started inside the test: pytest gives each phase of a test another stdout.


@pytest.mark.parametrize("mode", MODES)
async def test_progress_arrives_before_the_run_ends(mode: Mode):
    async with runners.running(mode) as runner:
        seen = Seen()
        await run(runner, "progresses", seen=seen)
        assert seen.reports == [Progress(10, "charging"), Progress(90, "charged")]


@pytest.mark.parametrize("mode", MODES)
async def test_log_lines_arrive_in_order_with_their_level(mode: Mode):
    async with runners.running(mode) as runner:
        seen = Seen()
        await run(runner, "logs", seen=seen)
        assert [(line.level, line.line) for line in seen.all_lines] == [
            ("info", "charged A-1 cents=12"),
            ("warning", "slow"),
        ]


@pytest.mark.parametrize("mode", MODES)
async def test_what_is_printed_arrives_by_stream_with_a_last_line_left_open(mode: Mode):
    async with runners.running(mode) as runner:
        seen = Seen()
        await run(runner, "prints", seen=seen)
        assert seen.of("stdout") == ["to stdout run-of-prints", "left open"]
        assert seen.of("stderr") == ["to stderr"]


@pytest.mark.parametrize("mode", MODES)
async def test_an_async_handler_and_its_threads_are_captured(mode: Mode):
    async with runners.running(mode) as runner:
        seen = Seen()
        await run(runner, "prints_async", seen=seen)
        assert seen.of("stdout") == [
            f"{when} run-of-prints_async" for when in ("before", "from a thread", "after")
        ]


@pytest.mark.parametrize("mode", MODES)
async def test_runs_side_by_side_keep_their_lines_apart(mode: Mode):
    async with runners.running(mode) as runner:
        both = Seen(), Seen()
        await asyncio.gather(run(runner, "prints", seen=both[0]), run(runner, "prints_async", seen=both[1]))
        assert all("prints_async" not in line for line in both[0].of("stdout"))
        assert all("prints_async" in line for line in both[1].of("stdout"))


@pytest.mark.parametrize("mode", MODES)
async def test_ten_megabytes_of_prints_pass_with_the_last_line(mode: Mode):
    async with runners.running(mode) as runner:
        seen = Seen()
        outcome = await run(runner, "prints_much", seen=seen)
        assert outcome.kind is Kind.SUCCEEDED
        lines = seen.of("stdout")
        assert len(lines) == 100_001
        assert lines[-1] == "the last line"


@pytest.mark.parametrize("mode", MODES)
async def test_a_very_long_line_is_cut_and_says_so(mode: Mode):
    async with runners.running(mode) as runner:
        seen = Seen()
        await run(runner, "prints_long", seen=seen)
        first, last = seen.of("stdout")
        assert len(first) < 20_000
        assert first.endswith("(line cut)")
        assert last == "after it"


@pytest.mark.parametrize("mode", ISOLATED)
async def test_programs_that_a_handler_starts_are_captured_too(mode: Mode):
    async with runners.running(mode) as runner:
        seen = Seen()
        await run(runner, "prints_below", seen=seen)
        assert seen.of("stdout") == ["from a program"]


@pytest.mark.parametrize("mode", ISOLATED)
async def test_each_attempt_tells_its_peak_memory_and_processor_time(mode: Mode):
    async with runners.running(mode) as runner:
        small = (await run(runner, "nothing")).usage
        large = (await run(runner, "big", {"blob": "b" * 8_000_000})).usage
        again = (await run(runner, "nothing")).usage
        assert small
        assert large
        assert again
        assert (large.peak_memory or 0) > (small.peak_memory or 0) + 16_000_000
        assert (large.cpu_ms or 0) > 0
        assert (again.peak_memory or 0) < (large.peak_memory or 0)
