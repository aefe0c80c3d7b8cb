"""`workers conformance` against real servers."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from support.daemons import WORKERS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(150)]


def conformance(folder: Path, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [WORKERS, "conformance", *options],
        cwd=folder,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_embedded_queue_keeps_every_promise(tmp_path):
    done = conformance(tmp_path, "--json", "--lease", "1s")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["provider"] == "deno-kv"
    assert found["kept"]
    assert {check["check"] for check in found["checks"]} >= {
        "order",
        "priority",
        "duplicates",
        "lost worker",
        "delay",
    }
    assert found["checks"][-1]["figures"]["leaseMs"] == 1000


def test_the_matrix_is_a_table_and_notes_go_to_stderr(tmp_path):
    done = conformance(tmp_path, "--provider", "memory", "--lease", "500ms")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[0].split() == ["CHECK", "STATE", "FOUND"]
    assert "trying: order" in done.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--provider", "mysql://u:hidden@h/x"), "“mysql://” is none of"),
        (("--lease", "1ms"), "--lease must be from 500ms to 20s"),
        (("--provider", "bogus"), "bogus"),
    ],
)
def test_wrong_usage_is_told(tmp_path, options, says):
    done = conformance(tmp_path, *options)
    assert done.returncode in {2, 78}
    assert says in done.stderr
    assert "hidden" not in done.stderr
