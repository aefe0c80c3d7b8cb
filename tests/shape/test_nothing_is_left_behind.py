"""The leak check of conftest.py, itself under test: each kind of leak fails its test and is named."""

import subprocess
import sys
import textwrap

import pytest

from support import leaks
from support.fresh import ROOT

LEAKS = {
    "process": """
        import subprocess
        kept = []
        def test_it(): kept.append(subprocess.Popen(["sleep", "30"], start_new_session=True))
        """,
    "orphan": """
        import subprocess
        def test_it(): subprocess.run(["sh", "-c", "setsid sleep 31 >/dev/null 2>&1 &"])
        """,
    "thread": """
        import threading, time
        def test_it(): threading.Thread(target=time.sleep, args=(7,), name="stray").start()
        """,
    "task": """
        import asyncio
        kept = []
        async def test_it(): kept.append(asyncio.create_task(asyncio.sleep(30), name="stray"))
        """,
    "descriptor": """
        import sqlite3
        kept = []
        def test_it(tmp_path): kept.append(sqlite3.connect(tmp_path / "stray.db"))
        """,
    "file": """
        import tempfile
        def test_it(): tempfile.mkdtemp(prefix="stray")
        """,
}
NAMED = {"process": "sleep 30", "orphan": "sleep 31", "descriptor": "stray.db"}


def run_pytest(folder, code):
    (folder / "test_sample.py").write_text(textwrap.dedent(code))
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), f"--rootdir={ROOT}"]
    command += ["-p", "conftest", "-p", "no:cacheprovider", "--basetemp", str(folder / "base"), str(folder)]
    return subprocess.run(
        command, cwd=ROOT / "tests", env=None, capture_output=True, text=True, timeout=50, check=False
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", LEAKS)
def test_a_leak_fails_its_test_and_is_named(tmp_path, kind):
    run = run_pytest(tmp_path, LEAKS[kind])
    assert "1 passed, 1 error" in run.stdout, run.stdout + run.stderr
    assert "the test left this behind:" in run.stdout
    assert NAMED.get(kind, "stray") in run.stdout


@pytest.mark.slow
def test_a_test_that_tidies_up_passes(tmp_path):
    tidy = """
        import asyncio, contextlib, sqlite3, subprocess, tempfile
        async def test_it(tmp_path):
            subprocess.run(["true"])
            await asyncio.to_thread(subprocess.run, ["true"])
            with contextlib.closing(sqlite3.connect(tmp_path / "x.db")), tempfile.NamedTemporaryFile():
                await asyncio.create_task(asyncio.sleep(0))
        """
    run = run_pytest(tmp_path, tidy)
    assert "1 passed" in run.stdout, run.stdout + run.stderr
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.slow
def test_a_test_may_say_what_it_leaves(tmp_path):
    honest = """
        import pytest, threading, time
        @pytest.mark.leaves("thread")
        def test_it(): threading.Thread(target=time.sleep, args=(1,)).start()
        """
    run = run_pytest(tmp_path, honest)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="descendants are looked at through /proc")
def test_a_process_is_seen_in_the_midst_of_an_exec_too(tmp_path):
    script = tmp_path / "execs.sh"
    script.write_text('[ "$1" -eq 0 ] || exec sh "$0" $(($1 - 1))\n')
    process = subprocess.Popen(["sh", script, "300"], start_new_session=True)
    looks: list[bool] = []
    while process.poll() is None:
        looks.append(leaks.is_marked(str(process.pid)))
    while looks and not looks[-1]:
        looks.pop()  # it was ending
    assert looks
    assert all(looks)
