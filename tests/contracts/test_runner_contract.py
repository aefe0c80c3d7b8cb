"""Every mode runs every handler alike: what it returns, raises and is handed."""

import json
from collections.abc import AsyncIterator

import pytest

from contracts import runners
from contracts.runners import MODES, run
from netscript_workers.domain.outcome import Cause, Kind
from netscript_workers.ports.runner import Runner


@pytest.fixture(params=MODES)
async def runner(request: pytest.FixtureRequest) -> AsyncIterator[Runner]:
    async with runners.running(request.param) as runner:
        yield runner


@pytest.mark.parametrize("name", ["echo", "echo_async"])
async def test_a_handler_gets_its_payload_and_its_result_comes_back(runner: Runner, name: str):
    outcome = await run(runner, name, {"order": "A-1"})
    assert outcome.kind is Kind.SUCCEEDED
    assert json.loads(outcome.result or b"") == {
        "payload": {"order": "A-1"},
        "id": f"run-of-{name}",
        "attempt": 1,
        "of": 4,
    }


async def test_a_returned_failure_keeps_its_words_its_data_and_its_will_to_retry(runner: Runner):
    outcome = await run(runner, "fails")
    assert (outcome.kind, outcome.cause, outcome.error) == (Kind.FAILED, Cause.FAILURE, "no stock")
    assert (outcome.result, outcome.retry) == (b'{"left":0}', False)


@pytest.mark.parametrize("name", ["raises", "raises_async"])
async def test_an_exception_fails_the_attempt_with_its_traceback(runner: Runner, name: str):
    outcome = await run(runner, name)
    assert (outcome.kind, outcome.cause, outcome.retry) == (Kind.FAILED, Cause.EXCEPTION, True)
    assert "LookupError: no such order" in (outcome.error or "")
    assert "plain.py" in (outcome.error or "")
    assert "netscript_workers/runners" not in (outcome.error or "")


async def test_abort_fails_for_good(runner: Runner):
    outcome = await run(runner, "aborts")
    assert (outcome.kind, outcome.error, outcome.retry) == (Kind.FAILED, "never again", False)


async def test_sys_exit_fails_the_attempt_and_nothing_else(runner: Runner):
    outcome = await run(runner, "exits")
    assert (outcome.kind, outcome.cause) == (Kind.FAILED, Cause.EXCEPTION)
    assert (await run(runner, "nothing")).kind is Kind.SUCCEEDED


async def test_a_payload_that_fits_arrives_as_its_type(runner: Runner):
    assert (await run(runner, "typed", {"order": "A", "cents": 12})).result == b"12"


async def test_a_payload_that_does_not_fit_fails_without_retry_and_names_each_field(runner: Runner):
    outcome = await run(runner, "typed", {"order": 1})
    assert (outcome.kind, outcome.retry) == (Kind.FAILED, False)
    assert "order" in (outcome.error or "")
    assert "cents" in (outcome.error or "")


async def test_a_result_that_is_not_json_names_type_and_path(runner: Runner):
    outcome = await run(runner, "not_json")
    assert outcome.kind is Kind.FAILED
    assert "rows[1].when" in (outcome.error or "")
    assert "object" in (outcome.error or "")


async def test_eight_megabytes_go_in_and_come_out(runner: Runner):
    blob = "b" * 8_000_000
    outcome = await run(runner, "big", {"blob": blob})
    assert json.loads(outcome.result or b"") == {"blob": blob + "!"}


async def test_a_handler_that_is_not_known_fails_the_attempt(runner: Runner):
    outcome = await run(runner, "unheard-of")
    assert outcome.kind is Kind.FAILED
    assert "unheard-of" in (outcome.error or "")
