"""What slots see of the daemon's environment: all but what a service manager says to the daemon alone."""

import json

import pytest

from contracts.runners import run
from netscript_workers.authoring.loading import HandlerRef
from netscript_workers.domain.target import RunnerMode
from netscript_workers.runners.fleet import build_runners

JOB = "import os\n\ndef job(ctx):\n    return dict(os.environ)\n"
OF_THE_MANAGER = (
    *("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"),
    *("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_PIDFDID"),
)


@pytest.mark.parametrize("mode", [RunnerMode.WEB_WORKER, RunnerMode.SUBPROCESS])
async def test_a_slot_sees_nothing_of_what_a_service_manager_told_the_daemon(mode, tmp_path, monkeypatch):
    for name in OF_THE_MANAGER:
        monkeypatch.setenv(name, "3")
    monkeypatch.setenv("OF_THE_SHOP", "open")
    (tmp_path / "job.py").write_text(JOB)
    refs = [HandlerRef("job", str(tmp_path / "job.py"), "job")]
    runner = build_runners(modes={mode}, handlers=refs, root=str(tmp_path))[mode]
    await runner.start()
    try:
        done = await run(runner, "job")
    finally:
        await runner.stop(2_000)
    seen = json.loads(done.result or b"{}")
    assert seen["OF_THE_SHOP"] == "open", done.error
    assert [name for name in OF_THE_MANAGER if name in seen] == []
