"""What `workers doctor` asks of the machine: Python, the kernel's help with processes, tools."""

import ctypes
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from netscript_workers.cli.doctor_finding import Finding, State

_OLDEST_PYTHON: Final = (3, 11)
_FEW_FILES: Final = 1024
_PR_GET_PDEATHSIG: Final = 2
_PR_GET_CHILD_SUBREAPER: Final = 37
_VERSION_BOUND_S: Final = 10.0
_PACKAGES: Final = ("netscript-workers", "msgspec", "pydantic", "typer", "uvloop")
_TOOLS: Final = {
    "deno": "deno tasks",
    "python3": "python tasks",
    "bash": "shell tasks",
    "dotnet": "dotnet tasks",
    "pwsh": "powershell tasks",
}


def findings() -> Iterator[Finding]:
    """Look at everything that does not depend on a project. Starts the tools of tasks for their version only."""
    yield _python()
    yield Finding(
        "platform", State.OK if os.name == "posix" else State.WARNING, platform.platform(), _platform_advice()
    )
    yield Finding("packages", State.INFO, _versions())
    yield Finding("sqlite", State.OK, sqlite3.sqlite_version)
    yield from _processes()
    yield _inotify()
    yield from _open_files()
    yield from _sandbox()
    for tool, purpose in _TOOLS.items():
        yield _tool(tool, purpose)


def _sandbox() -> Iterator[Finding]:
    """What permissions the kernel can keep here; a probe tries it all in a process of its own."""
    from netscript_workers.sandbox import checks

    for ability in checks.abilities(checks.probed()):
        state = State.OK if ability.works else State.WARNING
        yield Finding(f"sandbox: {ability.name}", state, ability.found, ability.cure)


def _python() -> Finding:
    new_enough = sys.version_info >= _OLDEST_PYTHON
    found = f"{platform.python_implementation()} {platform.python_version()}, {sys.executable}"
    return Finding(
        "python",
        State.OK if new_enough else State.PROBLEM,
        found,
        "" if new_enough else "Python 3.11 or later is needed.",
    )


def _platform_advice() -> str:
    return "" if os.name == "posix" else "Isolated runner modes need Linux or macOS; in-process works here."


def _versions() -> str:
    found: list[str] = []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def _processes() -> Iterator[Finding]:
    """Whether slots can be tied to the life of the daemon."""
    if not hasattr(os, "fork"):
        yield Finding("fork", State.WARNING, "not available", "Fresh processes start an interpreter each.")
        return
    yield Finding("fork", State.OK, "available")
    if sys.platform != "linux":
        yield Finding(
            "parent death",
            State.WARNING,
            "no PR_SET_PDEATHSIG",
            "Slots notice the end of their daemon by a closed socket only.",
        )
        return
    for name, option in (("parent death", _PR_GET_PDEATHSIG), ("subreaper", _PR_GET_CHILD_SUBREAPER)):
        works = _prctl_answers(option)
        advice = "" if works else "After kill -9 of the daemon, descendants of a run may live on."
        yield Finding(name, State.OK if works else State.WARNING, "available" if works else "refused", advice)


def _prctl_answers(option: int) -> bool:
    answer = ctypes.c_int(0)
    return ctypes.CDLL(None, use_errno=True).prctl(option, ctypes.byref(answer), 0, 0, 0) == 0


def _inotify() -> Finding:
    if sys.platform != "linux":
        return Finding(
            "inotify", State.INFO, "not on this platform", "New work is noticed by a bounded poll."
        )
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_CLOEXEC)
    if descriptor < 0:
        reason = os.strerror(ctypes.get_errno())
        advice = "New work is noticed by a bounded poll. Raise fs.inotify.max_user_instances with sysctl."
        return Finding("inotify", State.WARNING, reason, advice)
    os.close(descriptor)
    limit = Path("/proc/sys/fs/inotify/max_user_instances")
    allowed = limit.read_text().strip() if limit.exists() else "?"
    return Finding("inotify", State.OK, f"available, {allowed} instances for each user")


def _open_files() -> Iterator[Finding]:
    try:
        import resource
    except ImportError:
        return
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = soft != resource.RLIM_INFINITY and soft < _FEW_FILES
    advice = "Raise it with ulimit -n, or LimitNOFILE= in the systemd unit." if few else ""
    found = "unlimited" if soft == resource.RLIM_INFINITY else f"{soft:,}"
    yield Finding("open files", State.WARNING if few else State.OK, found, advice)


def _tool(name: str, purpose: str) -> Finding:
    path = os.environ.get("DENO_EXECUTABLE") if name == "deno" else None
    path = shutil.which(path or name)
    if path is None:
        return Finding(name, State.INFO, f"not found (for {purpose})")
    return Finding(name, State.INFO, f"{_first_line_of([path, '--version'])}, {path}")


def _first_line_of(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_VERSION_BOUND_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not answer ({type(error).__name__})"
    lines = done.stdout.strip().splitlines()
    return lines[0] if lines else f"exit status {done.returncode}"
