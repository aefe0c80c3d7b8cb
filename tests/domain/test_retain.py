"""How long a finished execution is kept: what the target says, to the millisecond."""

import pytest

from netscript_workers.domain.settlement import Retain, retain_of
from netscript_workers.domain.target import Concept, Retention, Source, Target

DAY_MS = 24 * 60 * 60 * 1000


def target(concept=Concept.JOB, **fields):
    return Target(id="a", concept=concept, source=Source.CONFIG, file="a.py", path="/a.py", **fields)


@pytest.mark.parametrize(
    ("of", "days"),
    [
        (None, (7, 90)),
        (target(), (7, 90)),
        (target(retention=Retention(kv_days=1, db_days=400)), (1, 400)),
        (target(Concept.TASK, retention=Retention(kv_days=3, db_days=9)), (3, 9)),
        (target(Concept.TASK, retention=Retention(kv_days=3, db_days=9), persist=False), (3, 0)),
    ],
)
def test_a_record_is_kept_as_long_as_its_target_says(of, days):
    assert retain_of(of) == Retain(days[0] * DAY_MS, days[1] * DAY_MS)
