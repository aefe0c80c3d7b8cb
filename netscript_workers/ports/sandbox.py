"""The sandbox: from a command and what its target may reach to a command that the kernel holds to it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from netscript_workers.domain.command import CommandSpec
from netscript_workers.domain.target import Target


class Confined(Protocol):
    """One run's confinement, from before its start to after its end."""

    @property
    def spec(self) -> CommandSpec:
        """The command to start in place of the one that was given."""
        ...

    @property
    def not_enforced(self) -> tuple[str, ...]:
        """What was asked for and is not enforced (under `best-effort` only), in words for the run's log."""
        ...

    def denied(self, errors: Sequence[str]) -> str | None:
        """Say what the run was denied, and what to write to allow it; None when nothing is known of that.

        `errors` are the last lines of its standard error. To be asked of a run that failed.
        """
        ...

    def reached(self) -> str | None:
        """Say which of its limits the run as a whole went up against, as far as the kernel counts that; before `close`."""
        ...

    async def close(self) -> None:
        """Let go of what was kept for the run. Idempotent."""
        ...


class Sandbox(Protocol):
    """Confines commands."""

    @property
    def modules(self) -> Sequence[str]:
        """The modules that its confinements name, for whoever starts programs (see domain/command.py)."""
        ...

    async def confine(self, target: Target, spec: CommandSpec) -> Confined:
        """Confine `spec`, a run of `target`, to the permissions and limits of that.

        The caller closes what it gets. Raises `PermissionsUnenforceableError` when this host cannot do that and must not run it
        otherwise.
        """
        ...

    async def stop(self) -> None:
        """End what serves all runs. Idempotent."""
        ...


class JobSandbox(Protocol):
    """Confines the runs of jobs, which are no commands."""

    @property
    def modules(self) -> Sequence[str]:
        """The modules that its confinements name, for whoever forks slots (see domain/command.py)."""
        ...

    async def confine_job(self, target: Target, root: str, environ: Mapping[str, str]) -> Confined:
        """Confine a run of a job, which goes on in a forked process: of its command only `confinement` counts, which may be None.

        `root` is the jobs directory, `environ` what the process is started with. Otherwise as `confine`.
        """
        ...

    async def stop(self) -> None:
        """End what serves all runs. Idempotent."""
        ...


class Confiner(Sandbox, JobSandbox, Protocol):
    """Confines both."""
