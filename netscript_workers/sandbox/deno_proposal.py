"""From what a Deno program asked its permission broker to its permissions."""

import os
from collections.abc import Iterable, Sequence
from typing import Final

from netscript_workers.domain.permissions import Grant, Permissions
from netscript_workers.sandbox.proposal import Proposal, path_grant, run_grant

_KEYS: Final = frozenset({"read", "write", "net", "env", "run", "ffi", "import"})

Requests = Sequence[tuple[str, str | None]]


def propose_for_deno(
    requests: Requests, programs: Iterable[str] | None, *, cwd: str, home: str, search_path: str
) -> Proposal:
    """Return the least permissions for a Deno program; `programs` are those it started, None where that cannot be seen."""
    asked: dict[str, list[str | None]] = {}
    for permission, value in requests:
        asked.setdefault(permission, []).append(value)
    notes = [_unknown(name, values) for name, values in asked.items() if name not in _KEYS]
    run: Grant = False
    if "run" in asked:
        run = True if programs is None else run_grant(programs, search_path) or True
        if run is True:
            notes.append("which programs it started could not be seen: therefore run = true")
    imports = _values(asked.get("import", []))
    return Proposal(
        permissions=Permissions(
            net=_values(asked.get("net", [])),
            read=_paths(asked.get("read", []), cwd, home, notes),
            write=_paths(asked.get("write", []), cwd, home, notes),
            env=_values(asked.get("env", [])),
            run=run,
            ffi="ffi" in asked,
            import_=imports if isinstance(imports, tuple) else (),
        ),
        notes=tuple(notes),
    )


def _values(values: Iterable[str | None]) -> Grant:
    found = list(values)
    if None in found:
        return True
    return tuple(dict.fromkeys(value for value in found if value)) or False


def _paths(values: list[str | None], cwd: str, home: str, notes: list[str]) -> Grant:
    grant = _values(values)
    if not isinstance(grant, tuple):
        return grant
    odd = [value for value in grant if value.startswith("<")]
    if odd:
        notes.append(
            f"Deno asked for {', '.join(odd)}, which is no path; add what that stands for if the program misses it"
        )
    paths = [os.path.normpath(os.path.join(cwd, value)) for value in grant if value not in odd]
    return path_grant(paths, cwd, home)


def _unknown(permission: str, values: list[str | None]) -> str:
    what = ", ".join(value for value in values if value) or "all"
    return f"it asked for {permission} ({what}), for which there is no key: Deno will deny that"
