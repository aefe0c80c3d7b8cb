"""Which system calls a confined program may make, as a filter. Compiled once for each set of permissions, by the daemon."""

import errno
import functools
import socket
from typing import Final

import msgspec

from netscript_workers.sandbox import bpf
from netscript_workers.sandbox.numbers import NEWEST_KNOWN, Machine

# Other processes, the kernel's own state, new rooms and mounts, and what has too often been a way out of a sandbox.
_NEVER: Final = [
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "kcmp",
    "pidfd_getfd",
    "process_madvise",
    "process_mrelease",
    "move_pages",
    "migrate_pages",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "mount_setattr",
    "open_tree",
    "open_tree_attr",
    "move_mount",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "unshare",
    "setns",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "keyctl",
    "add_key",
    "request_key",
    "kexec_load",
    "kexec_file_load",
    "init_module",
    "finit_module",
    "delete_module",
    "reboot",
    "swapon",
    "swapoff",
    "acct",
    "quotactl",
    "quotactl_fd",
    "syslog",
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "sethostname",
    "setdomainname",
    "iopl",
    "ioperm",
    "modify_ldt",
    "open_by_handle_at",
    "name_to_handle_at",
    "fanotify_init",
    "vhangup",
    "uselib",
    "nfsservctl",
    "lookup_dcookie",
    "memfd_secret",
]
# Landlock does not look at these: without a view of its own, a program could use them on files it may not write.
_METADATA: Final = [
    "chmod",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "chown",
    "fchown",
    "lchown",
    "fchownat",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "setxattrat",
    "removexattr",
    "lremovexattr",
    "fremovexattr",
    "removexattrat",
    "file_setattr",
    "utime",
    "utimes",
    "futimesat",
    "utimensat",
]
# Shared by all processes of the machine unless there is a room of its own for them.
_SHARED_MEMORY: Final = ("shmget", "semget", "msgget", "mq_open")
# What one process may do to another of its user without a signal: without a room for processes, only to itself. The values
# are what the first arguments must be: of a call on a process 0 (this one), before it the kind of what is named.
_ON_PROCESSES: Final = {
    "prlimit64": (0,),
    "sched_setaffinity": (0,),
    "sched_setattr": (0,),
    "sched_setparam": (0,),
    "sched_setscheduler": (0,),
    "setpriority": (0, 0),
    "ioprio_set": (1, 0),
}
# A descriptor that may only be read is enough for file systems' own calls: flags, verity, subvolumes. Landlock does not look at
# them. Those that only tell something, or need a file that may be written, stay.
_OF_FILE_SYSTEMS: Final = (0x6600, 0x7600, 0x5800, 0x9400, 0xF500)  # their types: f, v, X, btrfs, f2fs
_TYPE_OF_REQUEST: Final = 0xFF00
_HARMLESS_REQUESTS: Final = (
    0x80086601,  # FS_IOC_GETFLAGS
    0x801C581F,  # FS_IOC_FSGETXATTR
    0xC020660B,  # FS_IOC_FIEMAP
    0x40049409,  # FICLONE
    0x4020940D,  # FICLONERANGE
)
_NEW_ROOMS: Final = 0x7E020080  # every CLONE_NEW… flag
_TTY_INJECTION: Final = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX
_NEW_LISTENER: Final = 1 << 3
_PR_SET_MM: Final = 35
_FAMILY: Final = 0
_TYPE_BITS: Final = 0xF
_EPERM: Final = bpf.errno(errno.EPERM)
_EACCES: Final = bpf.errno(errno.EACCES)
_ENOSYS: Final = bpf.errno(errno.ENOSYS)
_ENOTTY: Final = bpf.errno(errno.ENOTTY)
_NETLINK: Final = 16


class Calls(msgspec.Struct, frozen=True, kw_only=True):
    """What the filter is to allow.

    `families` are the socket families that may be made; `raw` whether of any type, else streams and datagrams only.
    `may_exec` whether programs may be started; without, the one start is judged by whoever listens. `has_view` and
    `has_ipc`: there is a view of the files, and a room for shared memory, of the run's own; `has_processes` one for processes.
    `memfd`: files without a name. `metadata` (modes, times, flags of files) and `watches` (names in directories that cannot be
    listed) matter without a view.
    """

    families: tuple[int, ...] = ()
    raw: bool = False
    may_exec: bool = True
    has_view: bool = True
    has_ipc: bool = True
    has_processes: bool = True
    memfd: bool = True
    metadata: bool = True
    watches: bool = True


@functools.lru_cache(maxsize=64)
def compiled(calls: Calls, machine: Machine) -> bytes:
    """Return the filter as the kernel reads it. Denied sockets and starts are told to the listener, which answers EACCES."""
    program = bpf.Program()
    program.load(bpf.MACHINE_AT)
    program.unless_equal(machine.audit, _EPERM)
    program.load(bpf.NUMBER_AT)
    if machine.second_abi:
        program.if_at_least(machine.second_abi, _EPERM)
    program.if_at_least(NEWEST_KNOWN + 1, _ENOSYS)
    for name, verdict in _plain(calls):
        number = machine.number(name)
        if number is not None:
            program.if_equal(number, verdict)
    for name, body in _with_arguments(calls).items():
        number = machine.number(name)
        if number is not None:
            program.block(number, body)
    program.verdict(bpf.ALLOW)
    return program.assembled()


def _plain(calls: Calls) -> list[tuple[str, int]]:
    denied = [(name, _EPERM) for name in _NEVER]
    denied.append(("clone3", _ENOSYS))  # its flags stand in memory, unseen; the C library goes back to clone
    if not calls.has_view and not calls.metadata:
        denied += [(name, _EPERM) for name in _METADATA]
    if not calls.has_view and not calls.watches:
        denied.append(("inotify_add_watch", _EACCES))
    if not calls.has_ipc:
        denied += [(name, _EPERM) for name in _SHARED_MEMORY]
    if not calls.memfd:
        denied.append(("memfd_create", _EACCES))
    if not calls.may_exec:
        denied += [("execve", bpf.NOTIFY), ("execveat", bpf.NOTIFY)]
    return denied


def _with_arguments(calls: Calls) -> dict[str, bpf.Program]:
    clone = bpf.Program()
    clone.load(bpf.argument_at(0))
    clone.if_any_bit(_NEW_ROOMS, _EPERM)
    clone.verdict(bpf.ALLOW)
    ioctl = bpf.Program()
    ioctl.load(bpf.argument_at(1))
    for request in _TTY_INJECTION:
        ioctl.if_equal(request, _EPERM)
    if not calls.has_view and not calls.metadata:
        for request in _HARMLESS_REQUESTS:
            ioctl.if_equal(request, bpf.ALLOW)
        ioctl.keep_bits(_TYPE_OF_REQUEST)
        for kind in _OF_FILE_SYSTEMS:
            ioctl.if_equal(kind, _ENOTTY)
    ioctl.verdict(bpf.ALLOW)
    prctl = bpf.Program()
    prctl.load(bpf.argument_at(0))
    prctl.if_equal(_PR_SET_MM, _EPERM)
    prctl.verdict(bpf.ALLOW)
    seccomp = bpf.Program()
    seccomp.load(bpf.argument_at(1))
    seccomp.if_any_bit(_NEW_LISTENER, _EPERM)  # who listens decides: there must be nobody but us
    seccomp.verdict(bpf.ALLOW)
    pairs = bpf.Program()
    pairs.load(bpf.argument_at(_FAMILY))
    pairs.unless_equal(socket.AF_UNIX, _EACCES)
    pairs.verdict(bpf.ALLOW)
    return {
        "clone": clone,
        "ioctl": ioctl,
        "prctl": prctl,
        "seccomp": seccomp,
        "socketpair": pairs,
        "socket": _sockets(calls),
        **({} if calls.has_processes else {name: _only(first) for name, first in _ON_PROCESSES.items()}),
    }


def _only(first: tuple[int, ...]) -> bpf.Program:
    body = bpf.Program()
    for index, value in enumerate(first):
        body.load(bpf.argument_at(index))
        body.unless_equal(value, _EPERM)
    body.verdict(bpf.ALLOW)
    return body


def _sockets(calls: Calls) -> bpf.Program:
    body = bpf.Program()
    for family in calls.families:
        allowed = bpf.Program()
        if not calls.raw and family != _NETLINK:
            allowed.load(bpf.argument_at(1))
            allowed.keep_bits(_TYPE_BITS)
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
                allowed.if_equal(kind, bpf.ALLOW)
            allowed.verdict(bpf.NOTIFY)
        else:
            allowed.verdict(bpf.ALLOW)
        body.load(bpf.argument_at(_FAMILY))
        body.block(family, allowed)
    # The C library tries local sockets of name services all the time, and does without: not worth a word.
    body.load(bpf.argument_at(_FAMILY))
    body.if_equal(socket.AF_UNIX, _EACCES)
    body.verdict(bpf.NOTIFY)
    return body
