"""A process is found with all that descends from it, and ended with all of it."""

import os
import subprocess
import sys

from netscript_workers.processes.ending import ending_in_words
from netscript_workers.processes.memory import proportional_bytes, resident_bytes
from netscript_workers.processes.tree import children_of, descendants_of, kill_all, kill_tree

NESTED = """
import subprocess, sys, time
depth = int(sys.argv[1])
if depth:
    subprocess.Popen([sys.executable, "-c", sys.argv[2], str(depth - 1), sys.argv[2]], start_new_session=True)
else:
    print("all there", flush=True)
time.sleep(600)
"""


def test_a_tree_is_found_and_killed_through_sessions_of_its_own():
    with subprocess.Popen([sys.executable, "-c", NESTED, "2", NESTED], stdout=subprocess.PIPE) as root:
        assert root.stdout
        assert root.stdout.readline() == b"all there\n"
        family = descendants_of(root.pid)
        assert len(family) == 2
        assert root.pid in children_of(os.getpid())
        assert kill_tree(root.pid) == [root.pid, *family]
        assert root.wait() == -9
        assert root.stdout.read() == b""  # nobody holds the pipe any more


def test_a_process_that_is_gone_has_no_children_and_killing_it_is_no_error():
    process = subprocess.Popen(["true"])
    process.wait()
    assert children_of(process.pid) == []
    kill_all([process.pid])


def test_memory_of_a_process_is_told_and_of_one_that_is_gone_is_not():
    shared = resident_bytes(os.getpid())
    own = proportional_bytes(os.getpid())
    assert shared
    assert own
    assert 0 < own <= shared
    assert resident_bytes(2**22 + 1) is None
    assert proportional_bytes(2**22 + 1) is None


def test_endings_are_told_in_words():
    assert ending_in_words(3) == "ended with exit status 3"
    assert ending_in_words(-11) == "killed by SIGSEGV (segmentation fault)"
    assert ending_in_words(-77) == "killed by signal 77"
