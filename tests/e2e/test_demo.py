"""`make demo`: works, explains itself, leaves nothing."""

import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


def test_the_demo_runs_real_jobs_and_ends_well(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "netscript_workers.cli.demo"],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    for said in (
        "$ workers init shop",
        "Hello, Ada!",
        '"primes": 348513',
        "$ workers add task greet-in-shell --runtime shell",
        '"received":',
        '"shown": "prices.txt"',
        "$ workers permissions record show-customers",
        'permissions = { read = ["./customers.txt"] }',
        "completed",
        "exit status 0",
        "How to go on",
    ):
        assert said in done.stdout
    assert "permission denied" in done.stderr
    assert '/shop/customers.txt"]' in done.stderr
    assert "Verified: a second run" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_directory_of_ones_own_is_kept(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "netscript_workers.cli.demo", str(tmp_path / "shop")],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert (tmp_path / "shop" / "workers" / "jobs" / "hello.py").is_file()
