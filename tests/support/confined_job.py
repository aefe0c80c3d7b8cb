"""A job's process in small: forks as the slots' source does, confines itself, and runs the code it was given.

Run as a program: code, jobs directory, then the grants as JSON.
"""

import asyncio
import json
import os
import signal
import sys

from netscript_workers.domain.permissions import Permissions
from netscript_workers.domain.target import Concept, Source, Target
from netscript_workers.sandbox import enter
from netscript_workers.sandbox.kernel_sandbox import KernelSandbox, Strictness
from netscript_workers.sandbox.probe import probe


def main():
    code, root, fields = sys.argv[1:]
    grants = {
        name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(fields).items()
    }
    target = Target(
        id="a-job",
        concept=Concept.JOB,
        source=Source.CONFIG,
        file="config.toml",
        path=root + "/attacks.py",
        permissions=Permissions(**grants),
    )
    sandbox = KernelSandbox(Strictness.REQUIRE, host=probe())
    confined = asyncio.run(sandbox.confine_job(target, root, dict(os.environ)))
    pid = os.fork()
    if pid == 0:
        run_confined(confined.spec.confinement.rules, code, root)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status < 0:
        if status != -signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


def run_confined(rules, code, root):
    os.setsid()
    os.chdir(root)
    status = 70
    try:
        enter.apply(rules)
        exec(code, {})
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException as error:
        sys.stderr.write(f"{error!r}\n")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
