"""What this host can enforce is told, to the doctor and to validate."""

import sys
import threading

import pytest

from netscript_workers.config import LoadOptions
from netscript_workers.config import load as load_config
from netscript_workers.domain.permissions import Permissions
from netscript_workers.domain.target import Limits
from netscript_workers.sandbox import checks, probe
from netscript_workers.sandbox.host import Host
from netscript_workers.wiring.confinement import unenforceable
from netscript_workers.wiring.project import load_project

MAC = Host(kernel="", machine="", landlock=0, is_root=False, rooms_missing="macOS", filter_missing="macOS")


@pytest.mark.skipif(sys.platform != "linux", reason="the probe tries what Linux has")
def test_the_probe_answers_and_leaves_nothing_behind():
    host = checks.probed()
    assert host.machine
    assert {"net = [hosts]", "run = false", "Landlock"} <= {each.name for each in checks.abilities(host)}


def test_every_ability_that_is_missing_has_its_cure():
    missing = [each for each in checks.abilities(MAC) if not each.works]
    assert len(missing) > 8
    assert all(each.cure for each in missing if each.name not in {"kernel", "seccomp"})


@pytest.mark.parametrize(
    ("permissions", "limits", "expected"),
    [
        (Permissions(), Limits(), 1),
        (None, Limits(), 0),
        (None, Limits(processes=3), 1),
        (None, Limits(memory=2**20), 0),
    ],
)
def test_missing_counts_what_cannot_be_had(permissions, limits, expected):
    assert len(checks.missing(permissions, limits, MAC)) == expected


@pytest.mark.parametrize(("policy", "code"), [("require", "E031"), ("best-effort", "W016"), ("off", None)])
def test_validate_finds_what_this_host_cannot_enforce(tmp_path, monkeypatch, policy, code):
    monkeypatch.setattr(checks, "probed", lambda: MAC)
    tasks = tmp_path / "workers" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "a.sh").write_text("true\n")
    config = tmp_path / "config.toml"
    config.write_text(
        f'sandbox = "{policy}"\n[[tasks]]\nid = "a"\ntype = "shell"\nentrypoint = "a.sh"\npermissions = {{ net = ["h:1"] }}\n'
    )
    options = LoadOptions(path=config, environ={}, cwd=tmp_path)
    assert load_config(options).settings is not None
    project = load_project(options)
    found = list(unenforceable(project.settings, project.targets))
    assert [problem.code for problem in found] == ([code] if code else [])
    if code:
        assert (found[0].path, found[0].line) == ("tasks[0].permissions", 6)


@pytest.mark.skipif(sys.platform != "linux", reason="the probe tries what Linux has")
def test_a_process_with_threads_is_not_forked_and_gets_the_same_answer(monkeypatch):
    here = checks.probed()
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    monkeypatch.setattr(probe, "probe", lambda: pytest.fail("forked a process with threads"))
    try:
        assert checks.probed() == here
    finally:
        done.set()
        thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="the probe tries what Linux has")
def test_why_there_are_no_rooms_is_told_and_not_printed(monkeypatch, capfd):
    def refuse(*_):
        raise OSError(1, "mount at /tmp: not here")

    monkeypatch.setattr(probe.view, "enter", refuse)
    assert probe.probe().rooms_missing == "mount at /tmp: not here"
    assert capfd.readouterr() == ("", "")
