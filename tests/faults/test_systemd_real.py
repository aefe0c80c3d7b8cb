"""The unit of `workers systemd` under a real systemd: started, reloaded, watched, drained, refused."""

import json
import re
import time

import pytest

from support.daemons import WORKERS, until
from support.systemd import PLACE, booted

# A systemd and several interpreters start in each: on a busy machine that takes its time.
pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(600)]

UNIT = "netscript-workers.service"
STOP_S = 3

CONFIG = """
shutdown_timeout = "60s"
concurrency = 2
runtime = "in-process"
[connections]
deno_kv_path = "/var/lib/shop/queue.sqlite3"
"""

TASK = """
[[tasks]]
id = "confined"
type = "shell"
entrypoint = "confined.sh"
permissions = { read = ["/usr"] }
"""

DISTRIBUTED = """
[[groups]]
topic = "mail"
scaling = { mode = "distributed" }
"""

JOBS = """
import os
import time

from netscript_workers import job


@job("noop")
async def noop(ctx):
    return sorted(name for name in os.environ if name.startswith(("NOTIFY_", "WATCHDOG_")))


@job("blocks", max_retries=0, timeout="10m")
async def blocks_the_loop(ctx):
    time.sleep(3_600)


@job("long", max_retries=0, timeout="10m")
def long(ctx):
    while not os.path.exists("let-go"):
        time.sleep(0.02)
    return "to its end"
"""

# The log in a file, since no journal runs there, and bounds that a test can wait for.
DROP_IN = f"""
[Service]
StandardOutput=append:{PLACE}/daemon.log
StandardError=append:{PLACE}/daemon.log
TimeoutStopSec={STOP_S}
"""
WATCHED = "WatchdogSec=10\n"


class Service:
    """The unit on a booted machine."""

    def __init__(self, machine, config=CONFIG, drop_in=DROP_IN):
        self.machine = machine
        jobs = machine.path(PLACE) / "workers" / "jobs"
        tasks = machine.path(PLACE) / "workers" / "tasks"
        jobs.mkdir(parents=True)
        tasks.mkdir()
        (jobs / "jobs.py").write_text(JOBS)
        (tasks / "confined.sh").write_text("echo confined\n")
        self.configure(config)
        machine.path(f"/run/units/{UNIT}.d").mkdir()
        machine.path(f"/run/units/{UNIT}.d/test.conf").write_text(drop_in)
        printed = machine.run(WORKERS, "systemd", "--run-as", "root", "--config", f"{PLACE}/config.toml")
        assert printed.returncode == 0, printed.stderr
        machine.path(f"/run/units/{UNIT}").write_text(printed.stdout)
        self.systemctl("daemon-reload")

    def configure(self, config):
        self.machine.path(f"{PLACE}/config.toml").write_text(config)

    def systemctl(self, verb, *options):
        target = () if verb == "daemon-reload" else (UNIT,)
        done = self.machine.run("systemctl", verb, *options, *target)
        assert done.returncode == 0, (
            f"{done.stderr}{self.shown('ExecMainStatus')}\n{self.machine.log()}\n{self.log()}"
        )

    def shown(self, name):
        return self.machine.shown(UNIT, name)

    def log(self):
        file = self.machine.path(f"{PLACE}/daemon.log")
        return file.read_text() if file.exists() else "no log"

    def json(self, *arguments):
        done = self.machine.workers(*arguments, "--json")
        assert done.returncode == 0, done.stderr + self.log()
        return json.loads(done.stdout)

    def trigger(self, target):
        return self.json("trigger", target)["executionId"]

    def until_status(self, execution, status):
        until(lambda: self.json("show", execution)["status"] == status, status, 120)


def test_it_starts_runs_confined_and_not_reloads_drains_beyond_its_bound_and_stops(tmp_path):
    with booted(tmp_path) as machine:
        service = Service(machine, CONFIG + TASK)
        service.systemctl("start")  # returns once it has said READY=1
        assert service.shown("ActiveState") == "active"
        assert service.json("trigger", "noop", "--wait")["result"] == []
        assert service.json("trigger", "confined", "--wait")["status"] == "completed"
        assert machine.workers("health").returncode == 0
        service.configure(CONFIG.replace("concurrency = 2", "concurrency = 3"))
        service.systemctl("reload")
        until(lambda: "of 3 slots busy" in service.shown("StatusText"), "the new number of slots")
        until(lambda: service.shown("ActiveState") == "active", "the end of the reload")
        execution = service.trigger("long")
        service.until_status(execution, "running")
        began = time.monotonic()
        service.systemctl("stop", "--no-block")
        until(lambda: service.shown("ActiveState") == "deactivating", "the drain")
        # Without EXTEND_TIMEOUT_USEC systemd would have killed it by now.
        until(lambda: time.monotonic() - began > 3 * STOP_S, "more time than it has without asking")
        assert service.shown("ActiveState") == "deactivating"
        machine.path(f"{PLACE}/let-go").touch()
        until(lambda: service.shown("ActiveState") == "inactive", "the end", 120)
        assert (service.shown("Result"), service.shown("ExecMainStatus")) == ("success", "0")
        assert service.json("show", execution)["result"] == "to its end"


def test_a_daemon_that_hangs_is_ended_by_the_watchdog_says_where_and_is_started_again(tmp_path):
    with booted(tmp_path) as machine:
        service = Service(machine, drop_in=DROP_IN + WATCHED)
        service.systemctl("start")
        service.trigger("blocks")
        until(lambda: service.shown("NRestarts") == "1", "the restart", 180)
        assert "blocks_the_loop" in service.log()
        until(lambda: service.shown("ActiveState") == "active", "the second start", 120)
        assert service.json("trigger", "noop", "--wait")["status"] == "completed"


def test_an_invalid_config_is_not_tried_again(tmp_path):
    with booted(tmp_path) as machine:
        service = Service(machine)
        service.configure("concurrency = 0\n")
        assert machine.run("systemctl", "start", UNIT).returncode != 0
        until(lambda: service.shown("ActiveState") == "failed", "the failure")
        assert (service.shown("ExecMainStatus"), service.shown("NRestarts")) == ("78", "0")


def test_a_tree_leaves_no_process_behind_however_its_supervisor_ends(tmp_path):
    with booted(tmp_path) as machine:
        service = Service(machine, CONFIG + DISTRIBUTED)
        service.systemctl("start")
        first = service.shown("MainPID")
        assert re.search(r"combined.*worker-mail.*scheduler", service.shown("StatusText"))
        machine.run("kill", "-9", first)
        until(lambda: service.shown("NRestarts") == "1", "the restart", 120)
        until(lambda: service.shown("ActiveState") == "active", "the second start", 120)
        assert service.shown("MainPID") != first
        assert service.json("trigger", "noop", "--wait")["status"] == "completed"
        service.systemctl("stop")
        assert service.shown("Result") == "success"
        assert machine.run("pgrep", "-f", "netscript_workers").stdout == ""
