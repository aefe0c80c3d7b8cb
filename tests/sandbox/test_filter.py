"""The filter of system calls, run call by call against a plain model of what is allowed, for both machines."""

import errno
import socket

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from netscript_workers.sandbox import bpf
from netscript_workers.sandbox.numbers import MACHINES, NEWEST_KNOWN
from netscript_workers.sandbox.observing import watching_filter
from netscript_workers.sandbox.seccomp import Calls, compiled
from support.filter_machine import instructions, verdict

EPERM, EACCES, ENOSYS, ENOTTY = (
    bpf.errno(each) for each in (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTTY)
)
ALWAYS_DENIED = {
    "other processes": "ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd process_madvise process_mrelease "
    "move_pages migrate_pages",
    "mounts and rooms": "mount umount2 pivot_root chroot mount_setattr open_tree open_tree_attr move_mount fsopen fsconfig "
    "fsmount fspick unshare setns",
    "ways around the filter": "io_uring_setup io_uring_enter io_uring_register bpf perf_event_open userfaultfd memfd_secret "
    "open_by_handle_at name_to_handle_at fanotify_init uselib",
    "keys": "keyctl add_key request_key",
    "the kernel": "kexec_load kexec_file_load init_module finit_module delete_module reboot swapon swapoff acct quotactl "
    "quotactl_fd syslog settimeofday clock_settime clock_adjtime adjtimex sethostname setdomainname iopl ioperm modify_ldt "
    "vhangup nfsservctl lookup_dcookie",
}
METADATA = [
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
TO_ITSELF = ["prlimit64", "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler"]
ROOMS = (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000, 0x80)
PR_SET_MM = 35
NEW_LISTENER = 8
TERMINALS = (0x5412, 0x541C)
FILE_FLAGS = (0x40086602, 0x401C5820, 0x40806685, 0x5000940E, 0xF501)
ASKED_OF_FILES = (0x80086601, 0xC020660B, 0x40049409)
FAMILIES = (
    socket.AF_UNIX,
    socket.AF_INET,
    socket.AF_INET6,
    socket.AF_NETLINK,
    socket.AF_PACKET,
    38,
    40,
    44,
)
INTERESTING = (0, 1, 2, 3, 8, 9, 0x5401, 35, 4, *ROOMS, *TERMINALS, *FILE_FLAGS, *ASKED_OF_FILES, *FAMILIES)
HIGH_HALVES = (0, 1, 0xFFFFFFFF)
# Each example is thousands of calls; made smaller, a failure would say no more than the name it says.
FEW = settings(max_examples=20, phases=(Phase.explicit, Phase.reuse, Phase.generate))
machines = st.sampled_from(list(MACHINES.values()))
calls = st.builds(
    Calls,
    families=st.lists(st.sampled_from(FAMILIES[:4]), unique=True).map(tuple),
    raw=st.booleans(),
    may_exec=st.booleans(),
    has_view=st.booleans(),
    has_ipc=st.booleans(),
    has_processes=st.booleans(),
    memfd=st.booleans(),
    metadata=st.booleans(),
    watches=st.booleans(),
)
words = st.builds(
    lambda low, high: high << 32 | low,
    st.sampled_from(INTERESTING) | st.integers(0, 2**32 - 1),
    st.sampled_from(HIGH_HALVES),
)
NAMES = sorted(
    {
        *" ".join(ALWAYS_DENIED.values()).split(),
        *METADATA,
        *TO_ITSELF,
        *[
            "setpriority",
            "ioprio_set",
            "clone",
            "clone3",
            "execve",
            "execveat",
            "memfd_create",
            "socket",
            "socketpair",
            "ioctl",
            "prctl",
            "seccomp",
        ],
        *["shmget", "semget", "msgget", "mq_open", "inotify_add_watch", "openat", "connect", "close_range"],
    }
)
DENIED = frozenset(" ".join(ALWAYS_DENIED.values()).split())


# Arguments that chance would not find: only one of the first two is what it must be, and every one that is looked at.
TELLING = [
    *((first, second) for first in (0, 1, 2) for second in (0, 1)),
    *((room, 0) for room in ROOMS),
    *((0, request) for request in (*TERMINALS, *FILE_FLAGS, *ASKED_OF_FILES)),
    *((family, kind) for family in FAMILIES for kind in (1, 2, 3, 5, 10, 1 | 0o2000000)),
    (PR_SET_MM, 0),
    (1, NEW_LISTENER),
]


def always_allowed(_calls, _low):
    return bpf.ALLOW


def allowed(condition, otherwise):
    return bpf.ALLOW if condition else otherwise


def expected_socket(calls, low):
    family, kind = low[0], low[1] & 0xF
    if family not in calls.families:
        return EACCES if family == socket.AF_UNIX else bpf.NOTIFY
    if calls.raw or family == socket.AF_NETLINK:
        return bpf.ALLOW
    plain = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET)
    return bpf.ALLOW if kind in plain else bpf.NOTIFY


def expected_request(calls, low):
    request = low[1]
    if request in TERMINALS:
        return EPERM
    if calls.has_view or calls.metadata or request in {*ASKED_OF_FILES, 0x801C581F, 0x4020940D}:
        return bpf.ALLOW
    return ENOTTY if request >> 8 & 0xFF in {0x66, 0x76, 0x58, 0x94, 0xF5} else bpf.ALLOW


# What must become of each call, by its name; `low` is the lower half of its arguments. What is not here is allowed.
MODEL = {
    **dict.fromkeys(DENIED, lambda calls, low: EPERM),
    **dict.fromkeys(METADATA, lambda calls, low: allowed(calls.has_view or calls.metadata, EPERM)),
    **dict.fromkeys(TO_ITSELF, lambda calls, low: allowed(calls.has_processes or low[0] == 0, EPERM)),
    **dict.fromkeys(
        ("shmget", "semget", "msgget", "mq_open"), lambda calls, low: allowed(calls.has_ipc, EPERM)
    ),
    **dict.fromkeys(("execve", "execveat"), lambda calls, low: allowed(calls.may_exec, bpf.NOTIFY)),
    "setpriority": lambda calls, low: allowed(calls.has_processes or low[:2] == (0, 0), EPERM),
    "ioprio_set": lambda calls, low: allowed(calls.has_processes or low[:2] == (1, 0), EPERM),
    "inotify_add_watch": lambda calls, low: allowed(calls.has_view or calls.watches, EACCES),
    "memfd_create": lambda calls, low: allowed(calls.memfd, EACCES),
    "clone": lambda calls, low: allowed(not any(low[0] & room for room in ROOMS), EPERM),
    "clone3": lambda calls, low: ENOSYS,
    "prctl": lambda calls, low: allowed(low[0] != PR_SET_MM, EPERM),
    "seccomp": lambda calls, low: allowed(not low[1] & NEW_LISTENER, EPERM),
    "socketpair": lambda calls, low: allowed(low[0] == socket.AF_UNIX, EACCES),
    "socket": expected_socket,
    "ioctl": expected_request,
}


@FEW
@given(machines, calls, st.lists(st.tuples(*[words] * 6), min_size=20, max_size=20))
def test_every_call_is_judged_as_the_model_says(machine, calls, arguments):
    program = instructions(compiled(calls, machine))
    known = [(name, machine.number(name)) for name in NAMES]
    for each in (*arguments, *TELLING):
        low = tuple(word & 0xFFFFFFFF for word in each)
        for name, number in known:
            if number is not None:
                wanted = MODEL.get(name, always_allowed)(calls, low)
                assert verdict(program, number, machine.audit, each) == wanted, (name, each)


@FEW
@given(machines, calls, st.integers(-(2**31), 2**31 - 1), st.tuples(*[words] * 6))
def test_a_call_of_another_machine_is_denied_whatever_it_is(machine, calls, number, arguments):
    program = instructions(compiled(calls, machine))
    others = {0x40000003, 0x40000028, *(each.audit for each in MACHINES.values())} - {machine.audit}
    for audit in others:  # 32-bit programs, and the other kind of processor
        assert verdict(program, number, audit, arguments) == EPERM


@FEW
@given(calls, st.sampled_from(range(NEWEST_KNOWN + 200)), st.tuples(*[words] * 6))
def test_the_second_numbers_of_x86_are_denied(calls, number, arguments):
    machine = MACHINES["x86_64"]
    program = instructions(compiled(calls, machine))
    for second in (0x40000000 | number, (0x80000000 | number) - 2**32, number - 2**31):
        assert verdict(program, second, machine.audit, arguments) == EPERM


@FEW
@given(machines, calls, st.integers(NEWEST_KNOWN + 1, 0x3FFFFFFF))
def test_a_call_that_is_newer_than_this_is_not_there(machine, calls, number):
    assert verdict(instructions(compiled(calls, machine)), number, machine.audit, ()) == ENOSYS


@FEW
@given(machines, calls)
def test_what_is_not_spoken_of_is_allowed(machine, calls):
    program = instructions(compiled(calls, machine))
    spoken_of = {machine.number(name) for name in NAMES}
    for number in set(range(NEWEST_KNOWN + 1)) - spoken_of:
        assert verdict(program, number, machine.audit, (0, 0)) == bpf.ALLOW


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_the_filter_of_a_run_that_is_watched_denies_nothing_but_io_uring(machine):
    program = instructions(watching_filter(machine))
    denied = {
        number
        for number in range(-1, NEWEST_KNOWN + 100)
        if verdict(program, number, machine.audit, ()) not in {bpf.ALLOW, bpf.NOTIFY}
    }
    assert denied == {machine.number(f"io_uring_{what}") for what in ("setup", "enter", "register")}
