"""Finding the targets of a project in a process of its own, so that a reload sees every module as it is on disk now.

Nothing of the user's code then runs in the daemon for it: an import that hangs is ended, one that crashes takes nothing along,
and what it leaves in memory goes with the process.

That process (`main`, its argument is the daemon's process id) reads a pickled `Request` from stdin and writes a pickled
`Answer` to stdout.
"""

import asyncio
import contextlib
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Final

import msgspec

from netscript_workers.config import LoadOptions
from netscript_workers.domain.problem import Problem, Severity
from netscript_workers.domain.target import Target
from netscript_workers.errors import ConfigError
from netscript_workers.processes.ending import ending_in_words
from netscript_workers.processes.prctl import ProcessControl
from netscript_workers.processes.service_manager import VARIABLES
from netscript_workers.processes.tree import descendants_of, kill_all, kill_tree

if TYPE_CHECKING:
    from netscript_workers.config import Settings

SCAN_SECONDS: Final = 120.0
_PROGRAM: Final = "from netscript_workers.wiring.scan_process import main; main()"
_POLL_SECONDS: Final = 0.01
_KILL_SECONDS: Final = 5.0


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What to look at: the options of the daemon, and the targets and the sandbox policy it runs with now."""

    options: LoadOptions
    running: Mapping[str, Target]
    sandbox: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What was found: the targets without those of the runtime directory, and all problems.

    `broken` are the problems of the configuration itself: with an error among them nothing else was looked at.
    `unenforceable` are those of targets that are new or have changed.
    """

    broken: tuple[Problem, ...]
    targets: Mapping[str, Target] = {}
    problems: tuple[Problem, ...] = ()
    unenforceable: tuple[Problem, ...] = ()


async def scan_elsewhere(request: Request) -> Answer:
    """Start the process and return its answer; ends it, with all it started, in any case.

    Raises `ConfigError` when it does not answer within `SCAN_SECONDS`, or dies.
    """
    options = request.options
    environment = {name: value for name, value in options.environ.items() if name not in VARIABLES}
    request = msgspec.structs.replace(request, options=msgspec.structs.replace(options, environ={}))
    with _scratch() as asked, _scratch() as told:
        asked.write(pickle.dumps(request))
        asked.seek(0)
        process = subprocess.Popen(  # noqa: ASYNC220 - a millisecond; its end is waited for without blocking
            [sys.executable, "-P", "-c", _PROGRAM, str(os.getpid())],
            stdin=asked,
            stdout=told,
            stderr=sys.__stderr__.fileno() if sys.__stderr__ else subprocess.DEVNULL,
            env=environment,
            cwd=options.cwd,
            start_new_session=True,
        )
        try:
            in_time = await _ended(process, SCAN_SECONDS)
        finally:
            if process.poll() is None:
                kill_tree(process.pid)
                await _ended(process, _KILL_SECONDS)
        told.seek(0)
        data = told.read()
    if not in_time:
        raise ConfigError(
            f"the job modules were not imported within {SCAN_SECONDS:.0f} s; one of them hangs when it is imported"
        )
    if process.returncode or not data:
        raise ConfigError(
            f"the process that imports the job modules {ending_in_words(process.returncode)}; see what it printed above"
        )
    return pickle.loads(data)  # noqa: S301 - from our own code in our own process


def _scratch() -> IO[bytes]:
    """Return a file that nobody else sees, gone when it is closed; in memory where that can be had."""
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("netscript-workers-scan"), "w+b")
    return tempfile.TemporaryFile()


async def _ended(process: "subprocess.Popen[bytes]", seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while process.poll() is None:  # noqa: ASYNC110 - the kernel tells the end of a child by a signal only
                await asyncio.sleep(_POLL_SECONDS)
    return process.poll() is not None


def find(request: Request) -> Answer:
    """Load the configuration, import the modules into this process, and say what there is."""
    from netscript_workers import config
    from netscript_workers.catalog import scan
    from netscript_workers.wiring.project import sources_of, with_runtime

    loaded = config.load(request.options)
    settings = loaded.settings
    if settings is None:
        return Answer(broken=tuple(loaded.problems))
    base = scan(sources_of(settings))
    whole = with_runtime(settings, base)
    return Answer(
        broken=tuple(loaded.problems),
        targets=dict(base.targets),
        problems=base.problems,
        unenforceable=tuple(_unenforceable(settings, whole.targets, request)),
    )


def _unenforceable(settings: "Settings", targets: Mapping[str, Target], request: Request) -> list[Problem]:
    from netscript_workers.wiring.confinement import unenforceable

    before: Mapping[str, Target] = request.running if settings.sandbox.value == request.sandbox else {}
    changed = {id: target for id, target in targets.items() if before.get(id) != target}
    return [one for one in unenforceable(settings, changed) if one.severity is Severity.ERROR]


def main() -> None:
    """Answer one request."""
    control = ProcessControl()
    control.die_with_parent()
    if os.getppid() != int(sys.argv[1]):
        os._exit(1)  # the daemon died before the kernel was told to tell us
    control.adopt_orphans()
    answers = os.dup(1)
    os.dup2(2, 1)  # what a module prints when it is imported is no answer
    request: Request = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the daemon that started this process
    options = msgspec.structs.replace(request.options, environ=dict(os.environ))
    answer = pickle.dumps(find(msgspec.structs.replace(request, options=options)))
    with os.fdopen(answers, "wb") as out:
        out.write(answer)
    sys.stdout.flush()
    kill_all(descendants_of(os.getpid()))  # what the modules started when they were imported
    os._exit(0)  # whatever threads they have
