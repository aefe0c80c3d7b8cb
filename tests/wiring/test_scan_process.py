"""Targets found in a process of their own: as they are on disk, whatever the modules do, and nothing is left."""

import sys
from pathlib import Path

import pytest

from netscript_workers.catalog import codes
from netscript_workers.config import LoadOptions
from netscript_workers.errors import ConfigError
from netscript_workers.wiring import scan_process
from netscript_workers.wiring.scan_process import Answer, Request, scan_elsewhere

JOB = """
from netscript_workers import job

@job("NAME", timeout=TIMEOUT)
def handler(ctx):
    return 1
"""


def write(folder: Path, text: str, name: str = "one") -> None:
    path = folder / "workers" / "jobs" / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def job(name: str = "one", timeout: int = 1_000) -> str:
    return JOB.replace("NAME", name).replace("TIMEOUT", str(timeout))


async def scan(folder: Path, **environ: str) -> Answer:
    options = LoadOptions(cwd=folder, environ=environ)
    return await scan_elsewhere(Request(options=options, running={}, sandbox="require"))


async def test_each_scan_sees_the_modules_as_they_are_then_and_imports_none_here(tmp_path: Path):
    for timeout in (1_000, 2_000):
        write(tmp_path, job(timeout=timeout))
        answer = await scan(tmp_path)
        assert answer.targets["one"].timeout == timeout
        assert not answer.problems
    assert not [name for name in sys.modules if name.startswith("_netscript_workers_job_one")]


async def test_the_environment_of_the_daemon_decides_and_not_that_of_this_process(tmp_path: Path):
    write(tmp_path, job())
    answer = await scan(tmp_path, WORKERS_CONCURRENCY="none")
    assert [one.code for one in answer.broken] == ["E005"]
    assert not answer.targets


async def test_what_modules_print_start_and_leave_does_not_reach_the_answer_and_ends(tmp_path: Path):
    noise = "import subprocess, sys, threading, time\nprint('hello')\n"
    noise += "subprocess.Popen(['sleep', '60'])\nthreading.Thread(target=time.sleep, args=(60,)).start()\n"
    write(tmp_path, noise + job())
    write(tmp_path, "import nothing_like_that\n", "two")
    answer = await scan(tmp_path)
    assert list(answer.targets) == ["one"]
    assert [one.code for one in answer.problems] == [codes.IMPORT_FAILED]


async def test_an_import_that_hangs_is_ended_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(scan_process, "SCAN_SECONDS", 3.0)
    write(tmp_path, "import subprocess, time\nsubprocess.Popen(['sleep', '60'])\ntime.sleep(60)\n")
    with pytest.raises(ConfigError, match="within 3 s"):
        await scan(tmp_path)


@pytest.mark.parametrize("end", ["os._exit(0)", "os.kill(os.getpid(), 9)"])
async def test_a_module_that_ends_the_process_is_an_error_and_no_fault(tmp_path: Path, end: str):
    write(tmp_path, f"import os\n{end}\n")
    with pytest.raises(ConfigError, match="imports the job modules"):
        await scan(tmp_path)
