"""What tasks are given: the commands of their runs, over an environment without the daemon's secrets."""

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from netscript_workers.ports.runtime import Surroundings
from netscript_workers.processes.service_manager import VARIABLES
from netscript_workers.runtimes.commands import TaskCommands

if TYPE_CHECKING:
    from netscript_workers.config import Settings
    from netscript_workers.wiring.project import Project

# Where servers are, and what service managers say to the daemon alone.
WITHHELD: Final = frozenset(
    {
        *(
            f"{name}{end}"
            for name in ("REDIS_URL", "DATABASE_URL", "AMQP_URL", "DENO_KV_URL")
            for end in ("", "_FILE")
        ),
        *("PGPASSWORD", "PGPASSFILE", "OTEL_EXPORTER_OTLP_HEADERS"),
        "CREDENTIALS_DIRECTORY",
        *VARIABLES,
    }
)

_TELLING: Final = 8  # a shorter secret stands in other values by chance


def task_commands(project: "Project") -> TaskCommands:
    """Return the commands of the tasks of `project`."""
    return TaskCommands(surroundings_of(project))


def surroundings_of(project: "Project") -> Surroundings:
    """Return what every program is handed down: the daemon's environment without its secrets, and the project's directory."""
    file = project.loaded.file
    plain, secrets = part_secrets(project.options.environ, secret_values(project.settings))
    return Surroundings(
        project=str((file.parent if file else project.options.cwd).absolute()),
        environ=plain,
        secrets=secrets,
        windows=sys.platform == "win32",
    )


def part_secrets(environ: Mapping[str, str], values: frozenset[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Part an environment into what programs may see, and what they may not: by name, and by holding one of `values`."""
    plain: dict[str, str] = {}
    secrets: dict[str, str] = {}
    for name, value in environ.items():
        hidden = name in WITHHELD or any(_holds(value, secret) for secret in values)
        (secrets if hidden else plain)[name] = value
    plain.setdefault("PATH", os.defpath)
    return plain, secrets


def _holds(value: str, secret: str) -> bool:
    return value == secret or (len(secret) >= _TELLING and secret in value)


def secret_values(settings: "Settings") -> frozenset[str]:
    """Return the secrets that the settings hold: the servers' URLs and the token of the API."""
    connections = settings.connections
    held = (connections.redis_url, connections.database_url, connections.amqp_url, settings.api.token)
    return frozenset(value for one in held if one is not None and (value := one.reveal()))
