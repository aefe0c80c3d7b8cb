"""In every mode an async handler has a whole event loop: threads and signals wake it, it starts programs, it opens sockets."""

import json
from typing import Any

import pytest

from contracts import runners
from contracts.runners import MODES, run, stopped
from netscript_workers.domain.outcome import Kind
from netscript_workers.domain.target import Mode
from netscript_workers.runners.slot_loop import SlotLoop


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("takes_signal", {"took": "SIGUSR2"}),
        ("runs_program", {"said": "hello", "status": 0}),
        ("talks_to_itself", {"heard": "an echo"}),
    ],
)
async def test_a_handler_uses_the_loop_as_it_would_anywhere(mode: Mode, name: str, result: dict[str, Any]):
    async with runners.running(mode) as runner:
        for _ in range(2):  # the first run of a slot and one after it
            outcome = await run(runner, name)
            assert (outcome.error, outcome.kind) == (None, Kind.SUCCEEDED)
            assert json.loads(outcome.result or b"") == result


@pytest.mark.parametrize("mode", MODES)
async def test_a_loop_that_waits_is_woken_by_a_thread(mode: Mode):
    async with runners.running(mode) as runner:
        for _ in range(20):  # the thread may be faster than the first wait, or slower
            outcome = await run(runner, "woken_by_thread")
            assert (outcome.error, outcome.kind) == (None, Kind.SUCCEEDED)


@pytest.mark.parametrize("mode", MODES)
async def test_a_handler_that_goes_round_without_ever_waiting_is_cancelled(mode: Mode):
    async with runners.running(mode) as runner:
        await stopped(runner, "goes_round")
        assert (await run(runner, "nothing_async")).kind is Kind.SUCCEEDED


def test_a_loop_that_never_waited_holds_no_descriptor_and_can_be_closed():
    loop = SlotLoop()
    finished: list[bool] = []
    loop.on_finish = lambda: finished.append(True)

    async def nothing() -> int:
        return 7

    assert loop.run_until_complete(nothing()) == 7
    assert finished == []
    loop.close()
    assert loop.is_closed()


def test_a_loop_is_finished_once_when_it_first_waits():
    loop = SlotLoop()
    finished: list[bool] = []
    loop.on_finish = lambda: finished.append(True)

    async def waits() -> str:
        return await loop.run_in_executor(None, lambda: "from a thread")

    try:
        assert [loop.run_until_complete(waits()) for _ in range(3)] == ["from a thread"] * 3
        assert finished == [True]
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
