"""Which answers `workers health` takes for health: a scheduler must not hide a worker that hangs."""

import json

import pytest

from netscript_workers.cli import health, main

READY = {"live": True, "ready": True, "degraded": None, "reason": None}
HUNG = {"live": False, "ready": False, "degraded": None, "reason": "it hangs"}


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ([{**READY, "role": "worker", "pid": 1}], 0),
        ([{**READY, "role": "scheduler", "pid": 1}], 0),
        ([{**READY, "role": "scheduler", "pid": 1}, {**HUNG, "role": None, "pid": 2}], 1),
        ([{**READY, "role": "combined", "pid": 1}, {**HUNG, "role": None, "pid": 2}], 0),
        ([], 1),
    ],
)
def test_a_worker_that_is_ready_is_health_and_a_scheduler_only_alone(
    monkeypatch, capsys, tmp_path, found, status
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(health, "_ask_all", lambda _settings, _timeout: found)
    with pytest.raises(SystemExit) as ended:
        main(["health", "--json"])
    assert ended.value.code == status
    assert json.loads(capsys.readouterr().out)["workers"] == found
