"""`make demo`: a small project, a real daemon on the embedded queue, real jobs, and what to do next.

Every step is a command as a user would type it, run as a process of its own. Exit status 0 when all of it worked; nothing
is left running, and without a directory of its own (`python -m netscript_workers.cli.demo DIR`) nothing is left behind.
"""

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

_READY_BOUND_S: Final = 60.0
_END_BOUND_S: Final = 40.0
_STEP_BOUND_S: Final = 120.0
_FORCE_AFTER_S: Final = 10.0
_LOOK_EVERY_S: Final = 0.1
_OVERRIDES: Final = (
    "WORKERS_",
    "WORKER_",
    "NETSCRIPT_",
    "REDIS_URL",
    "DATABASE_URL",
    "AMQP_URL",
    "DENO_KV_URL",
)
_PROGRAM: Final = """# Shows the file that its argument names.
set -e
while read -r line; do echo "$line"; done < "$1"
echo "{\\"shown\\": \\"$1\\"}"
"""
_TASK: Final = """
[[tasks]]
id = "show-{name}"
type = "shell"
entrypoint = "show.sh"
args = ["{name}.txt"]
max_retries = 0
permissions = {{ read = ["./prices.txt"] }}
"""


class DemoError(Exception):
    """A step did not work; the message says which."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demonstration in the directory named in `argv`, else in a temporary one; return the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    signal.signal(signal.SIGTERM, _leave)
    try:
        with _directory(arguments) as directory:
            _demonstrate(directory, keep=bool(arguments))
    except DemoError as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _demonstrate(directory: Path, *, keep: bool) -> None:
    name = directory.name
    _say("A project: a config, two jobs.")
    _step(directory.parent, "init", name)
    runtimes = ["shell", *(["deno"] if _has_deno() else [])]
    _say("Programs in other languages are tasks: here one in " + " and one in ".join(runtimes) + ".")
    for runtime in runtimes:
        _step(directory, "add", "task", f"greet-in-{runtime}", "--runtime", runtime)
    holds = _can_confine()
    if holds:
        _lay_out_confined(directory)
    _say("The daemon. It runs in the background here; usually systemd runs it, or a second terminal.")
    with _daemon(directory):
        _say("An async job with a typed payload. --wait prints its result.")
        _step(directory, "trigger", "hello", "--payload", '{"name": "Ada"}', "--wait")
        _say("A plain function that keeps a processor busy, in a warm slot: a process of its own.")
        _step(directory, "trigger", "count-primes", "--payload", '{"below": 5000000}', "--wait")
        _say("The tasks: queued, retried and watched like jobs; the last line that they print is the result.")
        for runtime in runtimes:
            _step(directory, "trigger", f"greet-in-{runtime}", "--payload", '{"name": "Ada"}', "--wait")
        if holds:
            _show_confined(directory)
        _say("What ran, who works, what waits.")
        _step(directory, "executions")
        _step(directory, "status")
        _say("SIGTERM: the daemon finishes what it runs, then ends.")
    _say("How to go on:")
    bin_directory = Path(sys.executable).parent
    where = f"cd {shlex.quote(str(directory))}" if keep else "workers init shop && cd shop"
    print(f"    export PATH={shlex.quote(str(bin_directory))}:$PATH")
    print(f"    {where}")
    print("    workers combined                      # the daemon; Ctrl-C ends it")
    print("    workers add job send-mail             # a job of your own")
    print("    workers add task backup --runtime shell  # a task: also deno, python, dotnet, executable, …")
    print("    workers exec send-mail                # try it without a queue")
    print("    workers validate                      # check the config and every job")
    print("    workers --help                        # everything else; the README has it all\n", flush=True)


def _can_confine() -> bool:
    """Whether the kernel here can keep permissions; says so where it cannot."""
    from netscript_workers.domain.permissions import Permissions
    from netscript_workers.domain.target import Limits
    from netscript_workers.sandbox import checks

    gaps = checks.missing(Permissions(read=("/",)), Limits(), checks.probed())
    if gaps:
        _say(f"Confined tasks are left out: this host cannot enforce their permissions ({gaps[0].why}).")
    return not gaps


def _lay_out_confined(directory: Path) -> None:
    _say("Two tasks of one program, which shows a file. Both may read prices.txt, and nothing else:")
    (directory / "workers" / "tasks" / "show.sh").write_text(_PROGRAM)
    (directory / "prices.txt").write_text("apples 2.50\n")
    (directory / "customers.txt").write_text("Ada, 7 Main Street\n")
    text = "".join(_TASK.format(name=name) for name in ("prices", "customers"))
    with (directory / "config.toml").open("a") as config:
        config.write(text)
    print("".join(f"    {line}\n" for line in text.strip().splitlines()), end="", flush=True)


def _show_confined(directory: Path) -> None:
    _say(
        "A task with permissions is confined by the kernel, whatever language it is in. What it may, it does:"
    )
    _step(directory, "trigger", "show-prices", "--wait")
    _say("What it may not is denied. The run fails, and says what to write to allow it:")
    _step(directory, "trigger", "show-customers", "--wait", expected=1)
    _say(
        "Which permissions does a task need? One watched run tells; a second one, held to them, shows that they do:"
    )
    _step(directory, "permissions", "record", "show-customers")


@contextlib.contextmanager
def _directory(arguments: Sequence[str]) -> Generator[Path]:
    if arguments:
        yield Path(arguments[0]).resolve()
        return
    with TemporaryDirectory(prefix="workers-demo-", ignore_cleanup_errors=True) as root:
        yield Path(root) / "shop"


@contextlib.contextmanager
def _daemon(directory: Path) -> Generator[None]:
    """Run `workers combined` in `directory` for the time of the block; SIGTERM ends it, and SIGKILL if need be."""
    command = ["combined", "--log-format", "text"]
    _show(command, background=True)
    with (directory / "daemon.log").open("w+b") as log:
        process = subprocess.Popen(
            _command(command),
            cwd=directory,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            _wait_until_ready(directory, process)
            yield
            _end(process)
        except BaseException:
            _end_by_force(process)
            log.seek(0)
            sys.stderr.buffer.write(log.read())
            raise


def _wait_until_ready(directory: Path, process: "subprocess.Popen[bytes]") -> None:
    begun = time.monotonic()
    while time.monotonic() - begun < _READY_BOUND_S:
        if process.poll() is not None:
            raise DemoError(
                f"the daemon ended at once, with exit status {process.returncode}. Its log is above."
            )
        looked = subprocess.run(
            _command(["status", "--json"]),
            cwd=directory,
            env=_environment(),
            capture_output=True,
            timeout=_STEP_BOUND_S,
            check=False,
        )
        if looked.returncode == 0 and json.loads(looked.stdout)["workers"]:
            print(f"ready after {time.monotonic() - begun:.1f} s", flush=True)
            return
        time.sleep(_LOOK_EVERY_S)
    raise DemoError(f"the daemon was not ready within {_READY_BOUND_S:.0f} s. Its log is above.")


def _end(process: "subprocess.Popen[bytes]") -> None:
    print(f"$ kill -TERM {process.pid}")
    process.terminate()
    try:
        status = process.wait(_END_BOUND_S)
    except subprocess.TimeoutExpired:
        raise DemoError(
            f"the daemon had not ended {_END_BOUND_S:.0f} s after SIGTERM. Its log is above."
        ) from None
    if status != 0:
        raise DemoError(f"the daemon ended with exit status {status}. Its log is above.")
    print("the daemon ended with exit status 0", flush=True)


def _end_by_force(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_FORCE_AFTER_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _step(directory: Path, *arguments: str, expected: int = 0) -> None:
    _show(arguments)
    try:
        done = subprocess.run(
            _command(arguments), cwd=directory, env=_environment(), timeout=_STEP_BOUND_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise DemoError(f"workers {arguments[0]} took longer than {_STEP_BOUND_S:.0f} s.") from None
    if done.returncode != expected:
        raise DemoError(f"workers {arguments[0]} ended with exit status {done.returncode}.")


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "netscript_workers", *arguments]


def _environment() -> dict[str, str]:
    """This process's environment without what would change the settings of the demonstrated project."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OVERRIDES)}


def _has_deno() -> bool:
    return shutil.which(os.environ.get("DENO_EXECUTABLE") or "deno") is not None


def _say(text: str) -> None:
    strong = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    print(f"\n\x1b[1m# {text}\x1b[0m" if strong else f"\n# {text}", flush=True)


def _show(arguments: Sequence[str], *, background: bool = False) -> None:
    print(f"$ workers {shlex.join(arguments)}{' &' if background else ''}", flush=True)


def _leave(_signal: int, _frame: object) -> None:
    """End as an exception does, so that the daemon and the directory find their owner's cleanup."""
    raise SystemExit(128 + signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
