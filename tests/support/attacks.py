"""What a hostile program would try, one function each: it returns when it got what it wanted, and raises otherwise.

Run as a program with a JSON object of places and numbers; prints which attacks succeeded, and what stopped the others.
Imports nothing but the standard library: it runs under the system's own Python.
"""

import ctypes
import fcntl
import json
import os
import resource
import signal
import struct
import sys

try:
    from support import further_attacks
except ImportError:  # run as a program, with the other file beside it
    import further_attacks

LIBC = further_attacks.LIBC
checked = further_attacks.checked
syscall = further_attacks.syscall
number = further_attacks.number


def holds(path, text="secret"):
    with open(path, encoding="utf-8") as file:
        assert text in file.read()


# ------------------------------------------------------------------------------------------------ files


def read_outside(at):
    holds(at["secret"])


def read_by_symlink(at):
    holds(at["granted"] + "/link")


def read_by_dotdot(at):
    holds(at["granted"] + "/../secret/secret.txt")


def read_by_hard_link(at):
    os.link(at["secret"], at["out"] + "/hard")
    holds(at["out"] + "/hard")


def read_by_directory_descriptor(at):
    fd = os.open(at["granted"], os.O_RDONLY)
    with os.fdopen(os.open("../secret/secret.txt", os.O_RDONLY, dir_fd=fd)) as file:
        assert "secret" in file.read()


def read_by_new_symlink(at):
    os.symlink(at["secret"], at["out"] + "/soft")
    holds(at["out"] + "/soft")


def read_the_queue(at):
    holds(at["queue"])


def see_outside(at):
    os.stat(at["secret"])


def write_outside(at):
    with open(at["beside"] + "/new", "w", encoding="utf-8"):
        pass


def write_what_is_readable(at):
    with open(at["readable"], "a", encoding="utf-8") as file:
        file.write("x")


def truncate_what_is_readable(at):
    os.truncate(at["readable"], 3)


def chmod_outside(at):
    os.chmod(at["secret"], 0o644)


def chmod_what_is_readable(at):
    os.chmod(at["readable"], 0o644)


def chmod_by_descriptor(at):
    fd = os.open(at["readable"], os.O_RDONLY)
    os.fchmod(fd, 0o644)


def touch_what_is_readable(at):
    os.utime(at["readable"], (1, 1))


def flag_what_is_readable(at):
    fd = os.open(at["readable"], os.O_RDONLY)
    flags = bytearray(8)
    fcntl.ioctl(fd, 0x80086601, flags)
    (number,) = struct.unpack("=q", flags)
    fcntl.ioctl(fd, 0x40086602, struct.pack("=q", number ^ 0x40))  # “no dump”


def watch_outside(at):
    watch = checked(LIBC.inotify_init1(0))
    checked(LIBC.inotify_add_watch(watch, at["beside"].encode(), 0x100))


def move_what_is_readable(at):
    os.rename(at["movable"], at["out"] + "/moved")


def remove_the_queue(at):
    os.unlink(at["queue"] + "-wal")


# ------------------------------------------------------------------------------------------------ other processes


def victim_memory(at):
    with open(f"/proc/{at['victim']}/maps", encoding="utf-8") as maps:
        start = int(maps.readline().split("-")[0], 16)
    with open(f"/proc/{at['victim']}/mem", "rb", buffering=0) as memory:
        memory.seek(start)
        assert memory.read(4)


def victim_environment(at):
    with open(f"/proc/{at['victim']}/environ", "rb") as file:
        assert b"VICTIM_SECRET" in file.read()


def victim_descriptors(at):
    assert os.listdir(f"/proc/{at['victim']}/fd")


def victim_root(at):
    holds(f"/proc/{at['victim']}/root{at['secret']}")


def victim_directory(at):
    os.chdir(f"/proc/{at['victim']}/cwd")


def victim_command_line(at):
    with open(f"/proc/{at['victim']}/cmdline", "rb") as file:
        assert file.read()


def parent_memory(at):
    os.close(os.open(f"/proc/{at['parent']}/mem", os.O_RDONLY))


def parent_environment(at):
    with open(f"/proc/{at['parent']}/environ", "rb") as file:
        file.read()


def parent_descriptors(at):
    assert os.readlink(f"/proc/{at['parent']}/fd/0")


def trace_victim(at):
    checked(LIBC.ptrace(ctypes.c_long(16), ctypes.c_long(at["victim"]), None, None))
    os.waitpid(at["victim"], 0x40000000)
    checked(LIBC.ptrace(ctypes.c_long(17), ctypes.c_long(at["victim"]), None, None))


def read_victim_by_vector(at):
    with open(f"/proc/{at['victim']}/maps", encoding="utf-8") as maps:
        start = int(maps.readline().split("-")[0], 16)
    buffer = ctypes.create_string_buffer(8)
    local = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 8)
    remote = (ctypes.c_size_t * 2)(start, 8)
    syscall(number(310, 270), at["victim"], local, 1, remote, 1, 0)


def signal_victim(at):
    os.kill(at["victim"], signal.SIGCONT)


def signal_daemon(at):
    os.kill(at["daemon"], 0)


def limit_victim(at):
    resource.prlimit(at["victim"], resource.RLIMIT_CORE, resource.prlimit(at["victim"], resource.RLIMIT_CORE))


def limit_daemon(at):
    resource.prlimit(at["daemon"], resource.RLIMIT_CORE, resource.prlimit(at["daemon"], resource.RLIMIT_CORE))


def slow_victim_down(at):
    os.setpriority(os.PRIO_PROCESS, at["victim"], os.getpriority(os.PRIO_PROCESS, at["victim"]))


def slow_reads_of_victim_down(at):
    syscall(number(251, 30), 1, at["victim"], (2 << 13) | 7)


def take_processors_from_victim(at):
    os.sched_setaffinity(at["victim"], os.sched_getaffinity(at["victim"]))


def reschedule_victim(at):
    os.sched_setscheduler(at["victim"], os.sched_getscheduler(at["victim"]), os.sched_param(0))


def hold_victim(at):
    signal.pidfd_send_signal(os.pidfd_open(at["victim"]), signal.SIGCONT)


ROOT_ONLY = {
    "raw",
    "packet",
    "make_device",
    "write_kernel_setting",
    "change_user",
    "change_owner",
    "set_clock",
}
NOT_ATTACKS = {"checked", "syscall", "holds", "number"}
ATTACKS = {
    name: each
    for name, each in {**globals(), **vars(further_attacks)}.items()
    if type(each) is type(checked) and name not in NOT_ATTACKS
}


def tried(name, at):
    """Try one attack in a process of its own; returns what stopped it, or nothing."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            ATTACKS[name](at)
        except BaseException as error:
            os.write(writing, repr(error).encode()[:500] or b"?")
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        text = file.read().decode()
    _, status = os.waitpid(pid, 0)
    return text or (f"ended with {status}" if status else "")


def main():
    at = {**json.loads(sys.argv[1]), "parent": os.getppid()}
    sys.stdout.write(json.dumps({name: tried(name, at) for name in ATTACKS}))


if __name__ == "__main__":
    main()
