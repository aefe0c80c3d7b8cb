"""What a job does that looks for a secret: it reads its own memory, its environment, and its neighbours in /proc.

Copied into the jobs directory of a test, so it imports nothing of the tests.
"""

import ctypes
import gc
import os
import re

PATTERN = re.compile(rb"THE-VALUE-OF-[A-Z]+-[0-9a-f]{32}")  # which does not match itself
PAGE = 1 << 20


def found(places):
    """Return, for each place, the secrets in it."""
    return {
        name: sorted({match.group().decode() for chunk in chunks() for match in PATTERN.finditer(chunk)})
        for name, chunks in places.items()
    }


def regions():
    with open("/proc/self/maps") as file:
        for line in file:
            span, rights, *rest = line.split()
            if rights.startswith("r") and not (rest[3:] and rest[3].startswith("[v")):
                start, end = (int(one, 16) for one in span.split("-"))
                yield start, end


def by_pointer():
    for start, end in list(regions()):
        for at in range(start, end, PAGE):
            yield ctypes.string_at(at, min(PAGE + 64, end - at))


def by_file(path):
    try:
        with open(path, "rb", buffering=0) as file:
            for start, end in list(regions()):
                for at in range(start, end, PAGE):
                    file.seek(at)
                    try:
                        yield file.read(min(PAGE + 64, end - at)) or b""
                    except OSError:
                        continue  # a page that is not there
    except OSError:
        return


def whole(path):
    try:
        with open(path, "rb", buffering=0) as file:
            yield file.read() or b""
    except OSError:
        return


def by_collector():
    for one in gc.get_objects():
        for held in gc.get_referents(one):
            if isinstance(held, str):
                yield held.encode(errors="replace")
            elif isinstance(held, bytes):
                yield held


def environment():
    for name in os.environ:
        yield os.environb[os.fsencode(name)]


def of_others():
    pid = os.getpid()
    for other in {1, os.getppid(), *range(max(1, pid - 40), pid + 40)} - {pid}:
        yield from whole(f"/proc/{other}/environ")


def search():
    """Return the secrets found, by place."""
    return found(
        {
            "variables": environment,
            "block": lambda: whole("/proc/self/environ"),
            "memory": by_pointer,
            "file": lambda: by_file("/proc/self/mem"),
            "collector": by_collector,
            "others": of_others,
        }
    )
