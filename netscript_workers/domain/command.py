"""A command: what is to be started, whole. Runtimes make it, the sandbox confines it, one place spawns it."""

from collections.abc import Mapping

import msgspec


class Confinement(msgspec.Struct, frozen=True, kw_only=True):
    """How the kernel is to hold a program, put into words by the sandbox and carried out between fork and exec.

    `module` names a module with a function `apply(rules: bytes) -> None`, which is imported where programs are started (once,
    before the first one) and called in the new process, after its descriptors and its working directory are set. What it
    raises ends the process before the program was started, and is told as a refusal. It may start the program itself and
    never return. Two more functions of that module are used if they are there: `prepare`, once after the import, and
    `Maker`, which has rooms made for a program that is yet to come (see processes/spawn.py).
    Confinements of one `kind` are likely to have rules that differ in little: it is a hint for whoever starts the next one.
    """

    module: str
    rules: bytes = b""
    kind: str = ""


class CommandSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A program with all that it is given.

    `argv[0]` is a path, or a name that is looked for in the PATH of `env`. `env` is the whole environment: nothing is
    inherited beside it. `cwd` is absolute. `stdin` is what the program reads from its standard input, to the end.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    stdin: bytes = b""
    confinement: Confinement | None = None
