"""The tables of system calls, against those who know: the kernel's own headers, and libseccomp."""

import ctypes
import ctypes.util
import operator
import re
import shutil
import subprocess
from functools import reduce
from pathlib import Path

import pytest

from netscript_workers.sandbox.numbers import _NUMBERS, MACHINES

HEADERS = {
    "x86_64": ("/usr/include/x86_64-linux-gnu", "/usr/x86_64-linux-gnu/include"),
    "aarch64": ("/usr/aarch64-linux-gnu/include", "/usr/include/aarch64-linux-gnu"),
}
AUDIT = {"x86_64": "AUDIT_ARCH_X86_64", "aarch64": "AUDIT_ARCH_AARCH64"}
UNKNOWN_TO_LIBSECCOMP = -1


def expanded(machine, words):
    """Return what each of `words` is to a C program of `machine`: a number, or None where the headers do not know it."""
    compiler = shutil.which("cc")
    place = next((each for each in HEADERS[machine] if Path(each, "asm", "unistd.h").exists()), None)
    if compiler is None or place is None:
        pytest.skip(f"needs cc and the kernel's headers of {machine} (Debian: linux-libc-dev-arm64-cross)")
    lines = "\n".join(f"={word} {word}" for word in words)
    text = f"#include <asm/unistd.h>\n#include <linux/audit.h>\n{lines}\n"
    argv = [compiler, "-E", "-P", "-nostdinc", "-isystem", place, "-isystem", "/usr/include", "-x", "c", "-"]
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=True, timeout=60)
    values = re.findall(r"^ ?= ?\S+ (.+)$", done.stdout, re.MULTILINE)
    assert len(values) == len(words), done.stdout[-500:]
    return [number_in(value) for value in values]


def number_in(text):
    if re.search(r"[A-Za-z_]{2,}", text.replace("0x", "")):
        return None  # as it was: nothing it stands for
    return reduce(operator.or_, (int(each, 0) for each in re.findall(r"0x[0-9a-fA-F]+|\d+", text)))


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_are_those_of_the_kernels_headers(machine):
    names = list(_NUMBERS)
    values = dict(zip(names, expanded(machine, [f"__NR_{name}" for name in names]), strict=True))
    ours = {name: MACHINES[machine].number(name) for name in names}
    newest = max(value for value in values.values() if value is not None)
    assert newest > 400
    # Headers may be older than our table: then they do not know its last numbers.
    wrong = {
        name: (ours[name], value)
        for name, value in values.items()
        if ours[name] != value and not (value is None and (ours[name] or 0) > newest)
    }
    assert wrong == {}


@pytest.mark.parametrize("machine", MACHINES)
def test_a_machine_is_called_as_the_kernel_calls_it(machine):
    assert expanded(machine, [AUDIT[machine]]) == [MACHINES[machine].audit]


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_are_those_of_libseccomp(machine):
    name_of_library = ctypes.util.find_library("seccomp")
    if name_of_library is None:
        pytest.skip("needs libseccomp")
    library = ctypes.CDLL(name_of_library)
    resolve = library.seccomp_syscall_resolve_name_arch
    wrong = {}
    known = 0
    for name in _NUMBERS:
        theirs = resolve(ctypes.c_uint32(MACHINES[machine].audit), name.encode())
        if theirs == UNKNOWN_TO_LIBSECCOMP:
            continue  # newer than this library
        known += 1
        ours = MACHINES[machine].number(name)
        if (ours if ours is not None else -1) != max(theirs, -1):  # below -1: the machine has no such call
            wrong[name] = (ours, theirs)
    assert known > len(_NUMBERS) // 2
    assert wrong == {}
