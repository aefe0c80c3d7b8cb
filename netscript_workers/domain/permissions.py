"""Permissions: what a run may reach (SPEC section 8), and the presets of the original.

A grant is True (everything), False (nothing) or a tuple of names (hosts, paths, variables, programs).
"""

from typing import Final

import msgspec

Grant = bool | tuple[str, ...]


class Permissions(msgspec.Struct, frozen=True, kw_only=True, rename={"import_": "import"}):
    """What a run may reach. Everything not granted is denied.

    `net` hosts, `read` and `write` paths, `env` variable names, `run` programs; `ffi` native libraries;
    `import_` (written `import`) hosts a deno program may import from.
    """

    net: Grant = False
    read: Grant = False
    write: Grant = False
    env: Grant = False
    run: Grant = False
    ffi: bool = False
    import_: tuple[str, ...] = ()


PRESETS: Final[dict[str, Permissions]] = {
    "minimal": Permissions(env=True),
    "none": Permissions(),
    "network": Permissions(net=True, env=True),
    "filesystem": Permissions(read=True, write=True, env=True),
    "read_only": Permissions(read=True, env=True),
    "subprocess": Permissions(run=True, env=True),
    "full": Permissions(net=True, read=True, write=True, env=True, run=True),
    "all_access": Permissions(net=True, read=True, write=True, env=True, run=True, ffi=True),
}


def merge(*several: Permissions) -> Permissions:
    """Return what any of `several` grants: True wins over lists, lists are joined without repeats."""
    return Permissions(
        net=_join([p.net for p in several]),
        read=_join([p.read for p in several]),
        write=_join([p.write for p in several]),
        env=_join([p.env for p in several]),
        run=_join([p.run for p in several]),
        ffi=any(p.ffi for p in several),
        import_=tuple(dict.fromkeys(host for p in several for host in p.import_)),
    )


def _join(grants: list[Grant]) -> Grant:
    if any(grant is True for grant in grants):
        return True
    names = tuple(dict.fromkeys(name for grant in grants if isinstance(grant, tuple) for name in grant))
    return names or False
