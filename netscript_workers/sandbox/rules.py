"""What is to be carried out between fork and exec: the policy's decision as plain steps, sent to where programs are started."""

from typing import Final, NamedTuple

import msgspec


class Bind(msgspec.Struct, frozen=True, array_like=True):
    """Show `path` of the host at the same place in the run's view. Without `writable` nothing below it can be changed."""

    path: bytes
    writable: bool = False
    executable: bool = True
    device: bool = False


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A file system of the run's own.

    `whole`: it begins as all of the host's, read-only unless `whole_writable`; else as nothing. `binds` come parents
    first; `links` are (place, target); `directories` exist, empty; `hidden` are covered. `own_tmp` is the size of a
    /tmp of its own in bytes, 0 for none; `tmp_executable` whether what is written there may be loaded as code.
    """

    whole: bool = False
    whole_writable: bool = False
    binds: tuple[Bind, ...] = ()
    links: tuple[tuple[bytes, bytes], ...] = ()
    directories: tuple[bytes, ...] = ()
    hidden: tuple[bytes, ...] = ()
    own_tmp: int = 0
    tmp_executable: bool = False


class Program(NamedTuple):
    """A program with its words, the first of them a path, and all of its environment."""

    argv: tuple[bytes, ...]
    env: dict[bytes, bytes]


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of a confinement.

    `rooms` are the CLONE_NEW… flags, 0 for none. `files` are Landlock's rules (path, rights) under ABI `landlock` (0: not
    used), and `denies_tcp` its second guard of the network. `filter` is the seccomp program, empty for none. `limits` are
    (resource, value), and `group` is the file by which the run's control group is joined, empty for none. `proxy` is the
    socket of the daemon's proxy and `token` what it knows the run by. `private_tmp` is a directory that the run gets for
    itself where it has no view. `environment` are the variables that may stay, for a
    process that is not to be replaced by a program (None: it will be). `limits_only`: nothing but the limits holds.
    `record` is a file: nothing is denied, and what the run does is noted there (see observing.py).
    `argv` (its first word a path) and `env` are the program to be started (`has_program`); without one, `env` is added to
    what stays.
    """

    rooms: int = 0
    view: View | None = None
    landlock: int = 0
    files: tuple[tuple[bytes, int], ...] = ()
    denies_tcp: bool = False
    filter: bytes = b""
    may_exec: bool = True
    limits: tuple[tuple[int, int], ...] = ()
    group: bytes = b""
    proxy: bytes = b""
    token: bytes = b""
    private_tmp: bytes = b""
    environment: tuple[bytes, ...] | None = None
    has_program: bool = False
    limits_only: bool = False
    argv: tuple[bytes, ...] = ()
    env: dict[bytes, bytes] = {}
    record: bytes = b""

    def program(self) -> Program:
        """Return the program that is to be started."""
        return Program(self.argv, self.env)


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Rules).decode


def encoded(rules: Rules) -> bytes:
    """Return the rules as they travel."""
    return _encode(rules)


def decoded(data: bytes) -> Rules:
    """Read rules; raises `msgspec.DecodeError`."""
    return _decode(data)


def lasting(rules: Rules) -> Rules:
    """Return what of `rules` is the same for every run of a target, as long as the host is: all that is made ahead."""
    return msgspec.structs.replace(rules, token=b"", argv=(), env={})
