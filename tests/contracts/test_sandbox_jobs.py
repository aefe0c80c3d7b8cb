"""A job in a process of its own is held as a task is: it forks, confines itself, and goes on without a new program."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import support
from support import attacks, ground

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux"),
    pytest.mark.skipif(
        not os.access(ground.PYTHON, os.X_OK), reason="the victim runs under the system's own Python"
    ),
]
TESTS = Path(support.__path__[0]).parent
ALL_ATTACKS = """
import json, os, sys
from support import attacks
at = {{**json.loads({!r}), "parent": os.getppid()}}
sys.stdout.write(json.dumps({{name: attacks.tried(name, at) for name in attacks.ATTACKS}}))
"""


def run(place, code, **grants):
    script = str(TESTS / "support" / "confined_job.py")
    env = {
        "PYTHONPATH": f"{TESTS}:{TESTS.parent}",
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "SECRET": "token",
        "SEEN": "1",
    }
    argv = [sys.executable, script, code, place.work, json.dumps(grants)]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_no_attack_succeeds():
    with ground.laid_out(os.getuid()) as place:
        code = ALL_ATTACKS.format(json.dumps(place.at))
        done = run(place, code, read=[place.granted, str(TESTS)], write=[place.out])
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert results.keys() == attacks.ATTACKS.keys()
    assert [name for name, stopped in results.items() if not stopped] == []


def test_what_is_granted_works():
    with ground.laid_out(os.getuid()) as place:
        code = (
            f"print(open({place.at['readable']!r}).read()); open({place.out!r} + '/new', 'w').write('x'); "
            "import wave, asyncio; asyncio.run(asyncio.sleep(0))"
        )
        done = run(place, code, read=[place.granted], write=[place.out])
    assert (done.returncode, done.stdout) == (0, "granted\n"), done.stderr


def test_only_granted_variables_are_left_also_in_what_the_kernel_shows():
    with ground.laid_out(os.getuid()) as place:
        code = "import os; print(sorted(os.environ), open('/proc/self/environ').read().strip(chr(0)))"
        done = run(place, code, env=["SEEN"])
    assert done.stdout == "['LC_ALL', 'PATH', 'SEEN', 'TMPDIR'] \n", done.stderr


@pytest.mark.parametrize(
    ("code", "status"),
    [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 11)", -11), ("import os; os.abort()", -6)],
)
def test_it_ends_as_the_handler_did(code, status):
    with ground.laid_out(os.getuid()) as place:
        assert run(place, code).returncode == status
