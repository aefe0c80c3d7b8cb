"""What a command ends with when something goes wrong, and what it says."""

import subprocess
import sys

import pytest

from netscript_workers import errors
from netscript_workers.cli import faults


def every_error(root=errors.WorkersError):
    yield root
    for child in root.__subclasses__():
        yield from every_error(child)


@pytest.mark.parametrize("kind", [kind for kind in every_error() if kind.__module__ == errors.__name__])
def test_an_error_raised_on_purpose_ends_with_its_own_status_and_its_message(kind, capsys):
    assert faults.exit_status(kind("the file x is bad. Mend it."), ["status"]) == kind.exit_status
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "workers: error: the file x is bad. Mend it.\n"


def test_any_other_error_is_a_fault_of_ours_with_a_report_to_send(capsys):
    argv = ["trigger", "hello", "--payload", '{"secret": 1}', "--delay=5s"]
    with pytest.raises(ZeroDivisionError) as caught:
        1 / 0  # noqa: B018
    assert faults.exit_status(caught.value, argv) == 70
    told = capsys.readouterr().err
    for part in (
        "please send this report",
        "version",
        "python",
        "platform",
        "Traceback",
        "ZeroDivisionError",
    ):
        assert part in told
    assert "command   workers trigger --payload --delay" in told


def test_a_report_holds_no_secrets():
    report = faults.report(
        ValueError("broken at redis://user:hunter2@host/0"),
        ["trigger", "hello", "--payload", '{"key": "s3cret"}'],
    )
    assert "hunter2" not in report
    assert "s3cret" not in report
    assert "redis://***@host/0" in report


def test_ctrl_c_ends_with_130_and_says_nothing(capsys):
    assert faults.exit_status(KeyboardInterrupt(), ["status"]) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("code", "status"), [(None, 0), (0, 0), (3, 3), ("words", 1)])
def test_a_requested_exit_keeps_its_status(code, status):
    assert faults.exit_status(SystemExit(code), []) == status


def test_a_reader_that_has_gone_ends_the_command_quietly():
    script = (
        f"{sys.executable} -c 'from netscript_workers.cli import render, faults, run\n"
        "import sys\n"
        "from netscript_workers.cli import app\n"
        'app.invoke = lambda argv: [render.data("x" * 200) for _ in range(20000)]\n'
        'sys.exit(run(["executions"]))\' | head -n 1 | wc -c; exit ${PIPESTATUS[0]}'
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (141, "201", "")
