"""How many executions end in a second, by topic."""

from msgspec import structs

from contracts.runners import execution
from netscript_workers.domain.execution import Status
from netscript_workers.domain.settlement import Action, Settlement
from netscript_workers.telemetry.pace import Pace

RUN = execution("charge")


class Clock:
    s = 100.0

    def __call__(self):
        return self.s


def ends(pace, times, action=Action.COMPLETE, topic="default"):
    settlement = Settlement(
        execution_id=RUN.id,
        token=1,
        attempt=1,
        max_attempts=1,
        action=action,
        status=Status.COMPLETED,
        started_at=None,
    )
    for _ in range(times):
        pace.observe(structs.replace(RUN, topic=topic), settlement)


def test_a_rate_is_what_ended_for_good_over_the_last_looks():
    clock = Clock()
    pace = Pace(clock)
    ends(pace, 40)
    ends(pace, 10, Action.DEAD_LETTER)
    ends(pace, 7, Action.RETRY)
    ends(pace, 5, topic="mail")
    assert pace.rates() == {}  # over no time at all
    clock.s += 10
    assert pace.rates() == {"default": 5.0, "mail": 0.5}
    ends(pace, 20)
    clock.s += 10
    assert pace.rates() == {"default": 2.0}
    clock.s += 10
    assert pace.rates() == {}


def test_looks_close_to_each_other_do_not_shorten_what_a_rate_is_over():
    clock = Clock()
    pace = Pace(clock)
    ends(pace, 100)
    for _ in range(100):
        clock.s += 0.1
        seen = pace.rates()
    assert 9 <= seen["default"] <= 11
