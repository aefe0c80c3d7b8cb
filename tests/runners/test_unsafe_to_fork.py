"""Job modules that start threads when they are imported make forking unsafe: slots are interpreters of their own then."""

import asyncio
import json
from pathlib import Path

import pytest

from contracts.runners import PATIENCE, Seen, is_alive, run, stopped
from netscript_workers.authoring.loading import HandlerRef
from netscript_workers.domain.outcome import Kind
from netscript_workers.domain.target import RunnerMode
from netscript_workers.runners.fleet import build_runners

MODULE = """
import os, subprocess, sys, threading, time

threading.Thread(target=threading.Event().wait, name="heartbeat", daemon=True).start()

def pid(ctx):
    print("hello")
    return os.getpid()

def crashes(ctx):
    os._exit(3)

def leaves(ctx):
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True).pid

def spins(ctx):
    ctx.log.info("under way")
    while True: pass
"""


@pytest.mark.parametrize("mode", [RunnerMode.WEB_WORKER, RunnerMode.SUBPROCESS])
async def test_slots_are_interpreters_of_their_own_and_the_log_says_so(
    mode: RunnerMode, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "threaded.py"
    path.write_text(MODULE)
    names = ("pid", "crashes", "leaves", "spins")
    refs = [HandlerRef(name, str(path), name) for name in names]
    runner = build_runners(modes={mode}, handlers=refs, root=str(tmp_path))[mode]
    await runner.start()
    try:
        assert "heartbeat" in caplog.text
        seen = Seen()
        first = json.loads((await run(runner, "pid", seen=seen)).result or b"0")
        second = json.loads((await run(runner, "pid")).result or b"0")
        assert seen.of("stdout") == ["hello"]
        assert (first == second) is (mode is RunnerMode.WEB_WORKER)
        outcome = await run(runner, "crashes")
        assert (outcome.kind, outcome.exit_code) == (Kind.CRASHED, 3)
        left = json.loads((await run(runner, "leaves")).result or b"0")
        assert is_alive(left) is (mode is RunnerMode.WEB_WORKER)
        async with asyncio.timeout(PATIENCE):
            await stopped(runner, "spins")
    finally:
        await runner.stop(2_000)
    assert not is_alive(left)


async def test_one_broken_module_leaves_the_others_served(tmp_path: Path):
    (tmp_path / "broken.py").write_text("import nowhere_to_be_found\n")
    (tmp_path / "good.py").write_text("def handler(ctx): return 1\n")
    refs = [HandlerRef(name, str(tmp_path / f"{name}.py")) for name in ("broken", "good")]
    mode = RunnerMode.SUBPROCESS
    runner = build_runners(modes={mode}, handlers=refs, root=str(tmp_path))[mode]
    await runner.start()
    try:
        assert (await run(runner, "good")).result == b"1"
        outcome = await run(runner, "broken")
        assert outcome.kind is Kind.FAILED
        assert "nowhere_to_be_found" in (outcome.error or "")
    finally:
        await runner.stop(2_000)
