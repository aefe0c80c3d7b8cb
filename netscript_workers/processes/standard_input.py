"""What a program reads from its standard input, as one descriptor that needs nobody to feed it."""

import os
import tempfile
from typing import Final

PIPE_BYTES: Final = 65_536


def standard_input(data: bytes) -> int:
    """Return a descriptor from which `data` can be read to its end; the caller closes it.

    Small data waits in a pipe; what does not fit into one waits in a file without a name. Raises `OSError`.
    """
    if not data:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    if len(data) <= PIPE_BYTES:
        reading, writing = os.pipe()
        try:
            os.set_blocking(writing, False)
            if _written(writing, data) == len(data):
                return reading
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        os.close(reading)  # a user with many pipes gets small ones
    return _file_of(data)


def _written(fd: int, data: bytes) -> int:
    try:
        return os.write(fd, data)
    except BlockingIOError:
        return 0


def _file_of(data: bytes) -> int:
    memfd_create = getattr(os, "memfd_create", None)
    if memfd_create is not None:
        fd: int = memfd_create("payload", os.MFD_CLOEXEC)
    else:
        fd, path = tempfile.mkstemp(prefix="payload-")
        os.unlink(path)  # noqa: PTH108 - a descriptor's path, used once
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.lseek(fd, 0, os.SEEK_SET)
    except BaseException:
        os.close(fd)
        raise
    return fd
