"""Daemons that a group was delegated to share it, whatever of them is killed; no group of a run outlives them."""

import os
import signal
import subprocess
import sys

import pytest

from netscript_workers.sandbox.cgroups import OWN
from support import groups
from support.daemons import WORKERS, Project, alive, until
from support.trees import tree

pytestmark = [
    pytest.mark.faults,
    pytest.mark.slow,
    pytest.mark.timeout(600),  # two interpreters, and a restart
    pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's"),
]

CONFIG = """
lease = "2s"
shutdown_timeout = "1s"
[[groups]]
topic = "mail"
scaling = { concurrency = 2, mode = "distributed" }
[[groups.tasks]]
id = "holds"
type = "shell"
entrypoint = "holds.sh"
timeout = "10m"
max_retries = 5
retry_delay = 0
limits = { memory = "64M", processes = 20 }
"""


class DelegatedProject(Project):
    """A project whose daemons are started in a group of their own, as a service manager would do it."""

    def __init__(self, folder, group):
        super().__init__(folder, CONFIG)
        tasks = folder / "workers" / "tasks"
        tasks.mkdir(parents=True)
        (tasks / "holds.sh").write_text("(setsid sleep 600 &) ; sleep 600\n")
        self.group = group

    def start(self, *options, log="daemon.log", command="combined"):
        with (self.folder / log).open("ab") as out:
            words = groups.command_in(self.group, WORKERS, command, *options)
            return subprocess.Popen(words, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out)


def test_the_group_of_a_run_goes_with_its_daemon_and_the_others_stay(tmp_path):
    with groups.delegated() as group:
        project = DelegatedProject(tmp_path, group)
        with tree(project, "--log-format", "json") as running:
            (mail,) = running.ups("worker-mail")
            assert {running.process.pid, mail} <= set(groups.processes_in(group / OWN))
            assert groups.processes_in(group) == []
            project.trigger("holds")
            until(lambda: groups.runs_in(group), "the group of the run")
            (first,) = groups.runs_in(group)
            assert first.startswith(f"run-{mail}-")
            assert (group / first / "memory.max").read_text().strip() == str(64 << 20)
            until(lambda: len(groups.processes_in(group / first)) == 3, "all that the run starts")
            held = groups.processes_in(group / first)
            os.kill(mail, signal.SIGKILL)
            until(lambda: not any(map(alive, held)), "the end of the run")
            again = running.wait_again("worker-mail", mail)
            until(lambda: first not in groups.runs_in(group), "the end of its group")
            until(lambda: groups.runs_in(group), "the next attempt")
            assert groups.runs_in(group)[0].startswith(f"run-{again}-")
        assert groups.runs_in(group) == []
        assert groups.processes_in(group / OWN) == []
