"""Orphans are ended by their mark; children of this process's own live on."""

import os
import subprocess
import sys

import pytest

from netscript_workers.processes.orphans import end_orphans
from netscript_workers.processes.prctl import ProcessControl
from netscript_workers.processes.tree import children_of

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True,
                         stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt orphans")


async def test_what_carries_the_mark_is_ended_and_a_child_of_our_own_is_not():
    control = ProcessControl()
    control.adopt_orphans()
    try:
        with subprocess.Popen(["sleep", "600"]) as own:
            done = subprocess.run(
                [sys.executable, "-c", PARENT],
                stdout=subprocess.PIPE,
                env={**os.environ, "FAMILY": "x1"},
                check=True,
                timeout=30,
            )
            orphan = int(done.stdout)
            assert orphan in children_of(os.getpid())
            assert await end_orphans("FAMILY=other", (), 5.0) == []
            assert orphan in children_of(os.getpid())
            assert await end_orphans("FAMILY=x1", (), 5.0) == []
            assert orphan not in children_of(os.getpid())
            assert own.poll() is None
            own.kill()
    finally:
        control.leave_orphans()
