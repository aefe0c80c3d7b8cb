"""A project with a daemon, and the installed command to use it with."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netscript_workers.cli import bench_footprint

JOBS = '''"""Jobs that the command tests need."""

import asyncio

from netscript_workers import job


@job("fail", max_retries=0)
async def fail(ctx):
    print("about to fail")
    raise RuntimeError("no luck")


@job("nap", topic="naps", max_retries=0)
async def nap(ctx):
    ctx.report_progress(10, "asleep")
    await asyncio.sleep(ctx.payload.get("seconds", 60))
'''


class Shop:
    """A project in a directory, and `workers` run in it."""

    def __init__(self, directory):
        self.directory = directory

    def workers(self, *arguments, stdin=None, check=True):
        done = subprocess.run(
            [sys.executable, "-m", "netscript_workers", *arguments],
            cwd=self.directory,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments):
        return json.loads(self.workers(*arguments, "--json").stdout)

    def trigger(self, *arguments):
        return self.workers("trigger", *arguments).stdout.strip()

    def wait_for(self, execution, *statuses):
        end = time.monotonic() + 40
        while time.monotonic() < end:
            record = self.json("show", execution)
            if record["status"] in statuses:
                return record
            time.sleep(0.1)
        raise AssertionError(f"{execution} did not become {statuses}: {record}")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A project without a daemon."""
    directory = tmp_path_factory.mktemp("shop")
    shop = Shop(directory)
    shop.workers("init")
    (directory / "workers" / "jobs" / "tests.py").write_text(JOBS)
    return shop


@pytest.fixture(scope="module")
def served(shop):
    """The project with `workers combined` at work."""
    with (shop.directory / "daemon.log").open("wb") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "netscript_workers", "combined"],
            cwd=shop.directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            end = time.monotonic() + 40
            while not shop.json("status")["workers"]:
                assert daemon.poll() is None, (shop.directory / "daemon.log").read_text()
                assert time.monotonic() < end
            yield shop
        finally:
            family = bench_footprint.tree(daemon.pid)
            daemon.terminate()
            try:
                assert daemon.wait(40) == 0
                assert not [pid for pid in family if Path(f"/proc/{pid}").exists()]
            finally:
                daemon.kill()
                daemon.wait()
