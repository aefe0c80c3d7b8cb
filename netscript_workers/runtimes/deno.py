"""TypeScript and JavaScript in Deno, which confines them itself: permissions become its flags, exactly."""

from collections.abc import Iterator
from typing import Final

from netscript_workers.domain.permissions import Grant, Permissions
from netscript_workers.domain.target import Target
from netscript_workers.errors import DefinitionError
from netscript_workers.ports.runtime import Surroundings, TaskRun, Tool
from netscript_workers.runtimes.paths import from_project, program_from

_ADVICE: Final = (
    "install it (https://deno.com, or the package deno of PyPI or npm), or name it in DENO_EXECUTABLE"
)
_SMUGGLES: Final = frozenset(",\n\r\0")


class DenoRuntime:
    """`deno run --no-prompt <flags> [--import-map=…] entry args…`."""

    def argv(self, run: TaskRun) -> tuple[str, ...]:
        """Return the command line."""
        target, surroundings = run.target, run.surroundings
        import_map = target.import_map_url
        if import_map is not None and "://" not in import_map:
            import_map = from_project(import_map, surroundings.project)
        return (
            self.tool(target, surroundings).program,
            "run",
            "--no-prompt",
            *permission_flags(target.permissions),
            *(() if import_map is None else (f"--import-map={import_map}",)),
            target.path,
            *target.args,
        )

    def tool(self, target: Target, surroundings: Surroundings) -> Tool:
        """Return `DENO_EXECUTABLE`, else `deno`."""
        named = surroundings.environ.get("DENO_EXECUTABLE") or "deno"
        return Tool(program_from(named, surroundings.project), _ADVICE)


def permission_flags(permissions: Permissions | None) -> tuple[str, ...]:
    """Return Deno's flags for `permissions`; raises `DefinitionError` for a value that would smuggle in a second grant.

    None is `--allow-all`, as in the original. True is the bare flag, a list the flag with its values; what is false, absent or
    empty has no flag.
    """
    return ("--allow-all",) if permissions is None else tuple(_flags(permissions))


def _flags(permissions: Permissions) -> Iterator[str]:
    grants: tuple[tuple[str, Grant], ...] = (
        ("net", permissions.net),
        ("read", permissions.read),
        ("write", permissions.write),
        ("env", permissions.env),
        ("run", permissions.run),
        ("ffi", permissions.ffi),
        ("import", permissions.import_),
    )
    for name, grant in grants:
        if grant is True:
            yield f"--allow-{name}"
        elif grant:
            for value in grant:
                if not value or _SMUGGLES & set(value):
                    raise DefinitionError(
                        f"permissions.{name} cannot grant {value!r}: a value without a comma or a line break is wanted"
                    )
            yield f"--allow-{name}={','.join(grant)}"
