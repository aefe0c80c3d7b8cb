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


@pytest.mark.parametrize(
    ("scheduler", "status"), [({**READY, "role": "scheduler"}, 0), ({**HUNG, "role": None}, 1)]
)
def test_a_role_asked_for_is_not_hidden_by_another_that_is_ready(monkeypatch, tmp_path, scheduler, status):
    monkeypatch.chdir(tmp_path)
    found = [{**READY, "role": "worker", "pid": 1}, {**scheduler, "pid": 2}]
    monkeypatch.setattr(health, "_ask_all", lambda _settings, _timeout: found)
    with pytest.raises(SystemExit) as ended:
        main(["health", "--role", "scheduler", "--json"])
    assert ended.value.code == status
