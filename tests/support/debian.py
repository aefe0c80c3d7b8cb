"""Programs that only Debian has: installed by whoever may, else the test is skipped with the reason."""

import functools
import os
import shutil
import subprocess

from support import services

_BOUND_S = 240


def program(name: str, package: str) -> str:
    """Find a program on PATH; root on a Debian installs its package first, once. Without it the test is skipped (or fails)."""
    found = shutil.which(name)
    if found is None:
        why = _install(package)
        found = shutil.which(name)
        if found is None:
            services.unavailable(f"there is no `{name}` here: {why}")
    return found


@functools.cache
def _install(package: str) -> str:
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return f"install {package} (as root, on Debian: apt-get install {package})"
    quiet = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", package]):
        try:
            done = subprocess.run(
                [*quiet, *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_BOUND_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"apt-get {arguments[0]} took longer than {_BOUND_S} s"
    return (
        "" if done.returncode == 0 else f"apt-get could not install {package}: {done.stderr.strip()[-200:]}"
    )
