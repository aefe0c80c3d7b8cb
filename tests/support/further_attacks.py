"""The second half of what a hostile program would try: the network, programs, the kernel. See attacks.py."""

import ctypes
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
SHELL_SCRIPT = "#!/bin/sh\nexit 0\n"


def checked(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def syscall(number, *arguments):
    return checked(
        LIBC.syscall(
            ctypes.c_long(number), *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments)
        )
    )


def number(x86, arm):
    return x86 if os.uname().machine == "x86_64" else arm


# ------------------------------------------------------------------------------------------------ the network


def tcp(at):
    socket.create_connection(("127.0.0.1", at["tcp"]), timeout=5).close()


def tcp_listen(at):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()


def udp(at):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"question", ("127.0.0.1", at["udp"]))


def udp_v6(at):
    socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).close()


def raw(at):
    socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close()


def packet(at):
    socket.socket(17, socket.SOCK_RAW, 0).close()


def netlink(at):
    socket.socket(16, socket.SOCK_RAW, 0).close()


def local_path(at):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(at["socket"])


def local_path_that_is_readable(at):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(at["readable_socket"])


def local_abstract(at):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("\0" + at["abstract"])


def io_uring(at):
    os.close(syscall(425, 1, ctypes.create_string_buffer(120)))


# ------------------------------------------------------------------------------------------------ programs


def run_program(at):
    assert subprocess.run(["/bin/true"], check=False).returncode == 0


def run_itself(at):
    assert subprocess.run([sys.executable, "-I", "-S", "-c", ""], check=False).returncode == 0


def run_copy(at):
    copy = at["out"] + "/copy"
    shutil.copy("/bin/true", copy)
    os.chmod(copy, 0o755)
    assert subprocess.run([copy], check=False).returncode == 0


def run_script(at):
    script = at["out"] + "/script"
    with open(script, "w", encoding="utf-8") as file:
        file.write(SHELL_SCRIPT)
    os.chmod(script, 0o755)
    assert subprocess.run([script], check=False).returncode == 0


def run_memory(at):
    fd = os.memfd_create("code")
    with open("/bin/true", "rb") as file:
        os.write(fd, file.read())
    assert subprocess.run([f"/proc/self/fd/{fd}"], check=False, pass_fds=(fd,)).returncode == 0


def run_descriptor(at):
    fd = os.open("/bin/true", os.O_RDONLY)
    pid = os.fork()
    if pid == 0:
        try:
            os.execve(fd, ["true"], {})
        finally:
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0


def run_by_loader(at):
    loader = next(
        path for path in ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1") if os.path.exists(path)
    )
    assert subprocess.run([loader, "/bin/true"], check=False).returncode == 0


# ------------------------------------------------------------------------------------------------ the kernel


def new_user_room(at):
    checked(LIBC.unshare(0x10000000))


def new_user_room_by_clone(at):
    pid = syscall(number(56, 220), 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def add_key(at):
    syscall(number(248, 217), b"user", b"name", b"value", 5, -2)


def new_listener(at):
    """Install a filter with a listener of one's own, which would answer in place of ours."""
    checked(LIBC.prctl(38, 1, 0, 0, 0))
    program = ctypes.create_string_buffer(b"\x06\0\0\0\0\0\xff\x7f", 8)
    head = (ctypes.c_size_t * 2)(1, ctypes.addressof(program))
    os.close(syscall(number(317, 277), 1, 8, head))


def make_device(at):
    os.mknod(at["out"] + "/disk", stat.S_IFBLK | 0o600, os.makedev(8, 0))


def write_kernel_setting(at):
    os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))


def change_user(at):
    os.setuid(65533)


def change_owner(at):
    os.chown(at["out"], 1, 1)


def set_clock(at):
    value = (ctypes.c_long * 2)(0, -1)
    try:
        syscall(number(227, 112), 0, value)
    except OSError as error:
        if error.errno != 22:  # a time that cannot be: whoever may set the clock is told so
            raise
