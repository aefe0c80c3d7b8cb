"""Records to build shapes from."""

import pytest

from netscript_workers.domain.execution import Execution, Progress, Status, TriggeredBy
from netscript_workers.domain.target import Concept

T0 = 1_795_000_000_123


@pytest.fixture
def make_execution():
    def make(**changes):
        return Execution(
            **{
                "id": "0199f3a2-8d1c-7a40-b0c1-5f2f5a1e9d77",
                "concept": Concept.JOB,
                "target": "hello",
                "topic": "default",
                "status": Status.COMPLETED,
                "triggered_by": TriggeredBy.MANUAL,
                "triggered_at": T0,
                "payload": b'{"name": "Ada"}',
                "priority": 50,
                "attempt": 1,
                "max_attempts": 4,
                "started_at": T0 + 5,
                "completed_at": T0 + 17,
                "result": b'{"ok": true}',
                "progress": Progress(40, "half"),
                **changes,
            }
        )

    return make
