"""The sweeper: batch after batch, and never silent when one breaks."""

import asyncio

import pytest

from netscript_workers import retention
from netscript_workers.errors import EngineError
from netscript_workers.ports.history import Swept
from netscript_workers.retention import Sweeper, sweep_all


class History:
    """Answers each sweep with the next of `answers`, and with nothing left once they are used up."""

    def __init__(self, *answers: Swept | Exception) -> None:
        self.answers = list(answers)
        self.swept = asyncio.Event()

    async def sweep(self, limit: int) -> Swept:
        if not self.answers:
            self.swept.set()
            return Swept(0, 0)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_a_sweep_goes_on_until_nothing_is_left():
    assert await sweep_all(History(Swept(500, 0), Swept(20, 500), Swept(0, 3))) == (520, 503)


@pytest.mark.parametrize(
    ("error", "words"),
    [(EngineError("the disk is full"), "the disk is full"), (ValueError("odd"), "please report this")],
)
async def test_a_sweep_that_fails_is_said_and_tried_again(monkeypatch, caplog, error, words):
    monkeypatch.setattr(retention, "PERIOD_S", 0.01)
    history = History(error)
    sweeper = Sweeper(history)
    await sweeper.start()
    await asyncio.wait_for(history.swept.wait(), 20)
    await sweeper.stop(1_000)
    assert words in caplog.text
