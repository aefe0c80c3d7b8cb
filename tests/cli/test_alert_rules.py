"""The rules that the README says to alert on use metrics and labels that there are."""

import re
from pathlib import Path

from netscript_workers.domain.overview import TopicDepth
from netscript_workers.telemetry.metrics import QueueView, Snapshot, exposition
from netscript_workers.telemetry.tally import Tally, TargetTally

TEXT = (Path(__file__).parents[2] / "README.md").read_text()
DEPTH = TopicDepth(topic="t", pending=0, queued=0, running=0, paused=False, oldest_age_ms=None)


def written() -> str:
    tally = Tally()
    one = tally.targets["t", "x"] = TargetTally()
    one.causes["lost-worker"] = 1
    now = Snapshot(
        version="1",
        role="worker",
        started_at=0,
        slots_total=1,
        slots_busy=0,
        slots=(),
        ready=True,
        degraded=False,
        calls={},
        errors={},
        queue=QueueView(depths=(DEPTH,), dead_letters=0),
        lag_ms=1.0,
    )
    return exposition(tally, now).decode()


def test_every_metric_of_a_rule_is_served():
    rules = re.findall(r"^        expr: (.*)$", TEXT, re.MULTILINE)
    assert len(rules) >= 6
    families = set(re.findall(r"^# TYPE (\S+)", written(), re.MULTILINE))
    used = set(re.findall(r"workers_[a-z_]+", " ".join(rules)))
    assert used
    assert used <= families


def test_the_table_of_metrics_names_exactly_what_is_served():
    listed = set(re.findall(r"^\| `((?:workers|process)_[a-z_]+)` \|", TEXT, re.MULTILINE))
    assert listed == set(re.findall(r"^# TYPE (\S+)", written(), re.MULTILINE))
