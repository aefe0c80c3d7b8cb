"""The comparison of peers works, for one peer that installs fast. No verdict about speed. `pytest -m benchmark`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.benchmark, pytest.mark.services, pytest.mark.timeout(300)]

COMPARE = str(Path(__file__).parent / "compare.py")


def compare(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, COMPARE, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_our_product_and_a_peer_are_measured_on_redis(tmp_path, redis_server):
    saved = str(tmp_path / "saved.json")
    few = ("--runs", "200", "--repeat", "1", "--samples", "4", "--idle", "0.2", "--cache", str(tmp_path))
    done = compare(
        "--only", "redis", "--only", "netscript-workers", "--only", "huey", *few, "--json", "--save", saved
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert {row["peer"] for row in rows} == {"netscript-workers", "huey"}
    for row in rows:
        assert row["failure"] is None
        assert row["runsPerSecond"][0] > 0
        assert row["latencyMs"]
        assert row["versions"][row["peer"]]
    again = compare("--load", saved, "--only", "netscript-workers", "--markdown").stdout
    assert "**netscript-workers" in again
    assert "| huey" not in again


def test_a_peer_that_cannot_be_installed_is_a_row_that_says_why(tmp_path):
    (tmp_path / "file").write_text("")
    few = ("--runs", "100", "--repeat", "1", "--cache", str(tmp_path / "file" / "cache"))
    done = compare("--only", "deno-kv", "--only", "huey", *few, "--markdown")
    assert done.returncode == 0, done.stderr
    assert "not measured: cannot be installed" in done.stdout


def test_a_word_that_names_nothing_is_refused_with_what_there_is():
    done = compare("--only", "sidekick")
    assert done.returncode == 1
    assert "“sidekick” is none of" in done.stderr
    assert "celery" in done.stderr
