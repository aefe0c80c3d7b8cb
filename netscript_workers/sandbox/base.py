"""What every program needs to start on Linux: libraries, the loader's files, names and certificates. No secrets among them."""

import os
import stat
from typing import Final

_LIBRARIES: Final = (
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libx32",
    "/usr/libexec",
    "/usr/share",
    "/usr/local/lib",
    "/usr/local/share",
)
_PROGRAMS_TOO: Final = ("/usr",)
# Directories of older systems; elsewhere they are links into /usr.
_ROOT: Final = ("/lib", "/lib32", "/lib64", "/libx32")
_ROOT_PROGRAMS: Final = ("/bin", "/sbin")
_ETC: Final = (
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/mime.types",
    "/etc/alternatives",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust/extracted",
    "/etc/mono",
    "/etc/dotnet",
)
DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
# Of the whole machine, and harmless; a run without a process room sees these and what is its own.
PROC_FILES: Final = (
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/filesystems",
    "/proc/version",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/vm/max_map_count",
)
# The kernel itself executes these for every dynamic program.
LOADERS: Final = (
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/ld-linux-aarch64.so.1",
    "/lib/ld-musl-x86_64.so.1",
    "/lib/ld-musl-aarch64.so.1",
)


def shown(*, every_program: bool, kept_by_landlock: bool) -> tuple[str, ...]:
    """Return what any run's view shows of `readable`: all of /etc as one, where Landlock keeps what is in it."""
    paths = readable(every_program=every_program)
    if not kept_by_landlock:
        return paths
    return (*(path for path in paths if not path.startswith("/etc/")), "/etc")


def readable(*, every_program: bool) -> tuple[str, ...]:
    """Return what may be read by any run; with a list of programs, those of the system are not among it."""
    programs = (*_PROGRAMS_TOO, *_ROOT_PROGRAMS) if every_program else _LIBRARIES
    paths = (*programs, *_ROOT, *_ETC)
    return tuple(path for path in paths if _is_itself(path))


def links() -> tuple[tuple[str, str], ...]:
    """Return the links at the root into /usr, as (place, target)."""
    return tuple(
        (path, os.readlink(path)) for path in (*_ROOT, *_ROOT_PROGRAMS) if _is_link_to_directory(path)
    )


def _is_itself(path: str) -> bool:
    """Tell whether there is `path`, and not as a link to a directory. One look for most: this is done for every run."""
    try:
        is_link = stat.S_ISLNK(os.lstat(path).st_mode)
    except OSError:
        return False
    return not is_link or (os.path.exists(path) and not os.path.isdir(path))


def _is_link_to_directory(path: str) -> bool:
    return os.path.islink(path) and os.path.isdir(path)
