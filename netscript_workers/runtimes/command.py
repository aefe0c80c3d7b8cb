"""From a run of a task to the whole command: the runtime's command line, and what every program is given (SPEC section 8)."""

from typing import Final

from netscript_workers.domain.command import CommandSpec
from netscript_workers.domain.runtime_settings import RuntimeSettingError
from netscript_workers.errors import DefinitionError
from netscript_workers.ports.runtime import Runtime, TaskRun
from netscript_workers.runtimes.paths import from_project

ENVIRONMENT_BYTES: Final = 65_536
"""A payload longer than this does not go into the environment: Linux allows 128 KiB for a variable, other systems less in all."""


def needs_file(payload: bytes) -> bool:
    """Tell whether a payload is too big for an environment."""
    return len(payload) > ENVIRONMENT_BYTES


def command_for(runtime: Runtime, run: TaskRun) -> CommandSpec:
    """Return the command of `run`; raises `DefinitionError` when it cannot be run so."""
    target, surroundings = run.target, run.surroundings
    try:
        argv = runtime.argv(run)
    except RuntimeSettingError as error:
        raise DefinitionError(f"the metadata of {target.id} {error}", hint=error.hint) from None
    return CommandSpec(
        argv=argv,
        env=environment_of(run),
        cwd=surroundings.project if target.cwd is None else from_project(target.cwd, surroundings.project),
        stdin=run.execution.payload,
    )


def environment_of(run: TaskRun) -> dict[str, str]:
    """Return the whole environment: the daemon's without its secrets, the task's own, then what tells of this run."""
    target, execution, surroundings = run.target, run.execution, run.surroundings
    env = dict(surroundings.environ)
    permissions = target.permissions
    if surroundings.secrets and permissions is not None and isinstance(permissions.env, tuple):
        env.update(
            {name: surroundings.secrets[name] for name in permissions.env if name in surroundings.secrets}
        )
    env.update(target.env)
    env["TASK_ID"] = target.id
    env["EXECUTION_ID"] = execution.id
    env["ATTEMPT"] = str(execution.attempt)
    for name, value in (
        ("TASK_PAYLOAD", execution.payload.decode() if run.payload_file is None else None),
        ("TASK_PAYLOAD_FILE", run.payload_file),
        ("TRACEPARENT", execution.traceparent),
        ("TRACESTATE", execution.tracestate),
        ("CORRELATION_ID", execution.correlation_id),
    ):
        if value is None:
            env.pop(name, None)  # the daemon's own, or another run's, would be a lie
        else:
            env[name] = value
    return env
