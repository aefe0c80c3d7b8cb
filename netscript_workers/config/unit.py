"""The systemd unit of a configuration, as `workers systemd` prints it: every line with its reason."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from netscript_workers.config.choices import Provider
from netscript_workers.config.options import OriginKind
from netscript_workers.config.provider import resolve_provider, resolve_records
from netscript_workers.config.unit_memory import Memory, memory_of
from netscript_workers.domain.size import format_size
from netscript_workers.domain.target import Target

if TYPE_CHECKING:
    from netscript_workers.config.options import Loaded
    from netscript_workers.config.settings import Settings

WATCHDOG_S: Final = 30
BEYOND_DRAIN_S: Final = (
    45  # interrupting what still runs, stopping the parts, closing the queue: each has a bound
)
_START_S: Final = 60
_HOMES: Final = ("/home", "/root", "/run/user")
_STATE: Final = Path("/var/lib")
_URLS: Final = {"redis_url": "REDIS_URL", "database_url": "DATABASE_URL", "amqp_url": "AMQP_URL"}
_REFERENCE: Final = re.compile(r"\((?P<kind>file|env):(?P<place>.*)\)$")

# The sandbox needs namespaces and a /proc of its own in them, which the kernel refuses below a /proc that has parts covered.
_HARDENING: Final = """\
# Hardening. Runs with permissions are confined by the daemon itself, which needs user, mount, process and network namespaces
# and a fresh /proc in them. So these are left out on purpose: RestrictNamespaces, ProtectKernelTunables, ProtectKernelLogs,
# ProcSubset, ProtectProc (each keeps a fresh /proc from being mounted), ProtectControlGroups (Delegate gives us our group),
# PrivateUsers, MemoryDenyWriteExecute (Deno and .NET compile at run time), IPAddressDeny (runs have their own `net`).
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
# A list of what is denied: seccomp, Landlock, mount and clone must stay for the sandbox.
SystemCallFilter=~@clock @cpu-emulation @module @obsolete @raw-io @reboot @swap
SystemCallErrorNumber=EPERM
UMask=0027"""

_SYSTEM_HARDENING: Final = """\
CapabilityBoundingSet=
AmbientCapabilities=
PrivateTmp=yes
# A handler that needs a device (a GPU) needs this line changed.
PrivateDevices=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelModules=yes
KeyringMode=private
RemoveIPC=yes
# Nothing is writable but what ReadWritePaths and StateDirectory name: add what your handlers write.
ProtectSystem=strict"""


class UnitOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the unit is wanted: `role` is the command, `command` the path of `workers`, `account` who runs it (system flavour).

    `interpreter` is where the Python of `command` really is: that of a virtual environment is a link, often to one in a home.
    """

    role: str
    command: str
    interpreter: str = ""
    account: str
    user: bool
    memory_max: int | None = None


def write_unit(
    loaded: "Loaded", settings: "Settings", targets: Mapping[str, Target], options: UnitOptions
) -> str:
    """Return the text of the unit; no secret is in it."""
    memory = memory_of(loaded, settings, targets, options.role)
    sections = [
        _header(options),
        *("[Unit]", *_unit(options), "", "[Service]"),
        *_service(loaded, settings, options, memory),
        *_secrets(loaded),
        "",
        _HARDENING,
        *([] if options.user else [_SYSTEM_HARDENING, *_places(loaded, settings, targets, options)]),
        "",
        *("[Install]", f"WantedBy={'default.target' if options.user else 'multi-user.target'}"),
    ]
    return "\n".join(sections) + "\n"


def _header(options: UnitOptions) -> str:
    where = "~/.config/systemd/user" if options.user else "/etc/systemd/system"
    return f"# {where}/netscript-workers.service, written by `workers systemd`. Write it anew when the config has changed."


def _unit(options: UnitOptions) -> Iterator[str]:
    yield "Description=netscript-workers (background work)"
    if not options.user:
        yield "Wants=network-online.target"
        yield "After=network-online.target"
    yield "# Five failed starts within five minutes are enough; then somebody has to look."
    yield "StartLimitIntervalSec=300"
    yield "StartLimitBurst=5"


def _service(loaded: "Loaded", settings: "Settings", options: UnitOptions, memory: Memory) -> Iterator[str]:
    words = [options.command, options.role, *(("--config", str(loaded.file)) if loaded.file else ())]
    start_s = (settings.connect_timeout // 1000 + _START_S) * memory.processes
    yield "# READY=1 comes once work is claimed."
    yield "Type=notify"
    yield "NotifyAccess=main"
    yield f"ExecStart={' '.join(quoted(word) for word in words)}"
    yield "ExecReload=/bin/kill -HUP $MAINPID"
    yield f"WorkingDirectory={escaped(str(_base(loaded)))}"
    if not options.user:
        yield f"User={options.account}"
    for name, value in _environment(loaded):
        yield f"Environment={quoted(f'{name}={value}')}"
    yield ""
    yield "Restart=on-failure"
    yield "RestartSec=2"
    yield "# 78: the configuration is invalid, and does not mend itself."
    yield "RestartPreventExitStatus=78"
    yield f"TimeoutStartSec={start_s}"
    yield f"# Above shutdown_timeout ({settings.shutdown_timeout / 1000:g} s); the daemon asks for more while it drains."
    yield f"TimeoutStopSec={-(-settings.shutdown_timeout // 1000) + BEYOND_DRAIN_S}"
    yield "# SIGTERM goes to the daemon alone: it decides when runs end. What is left afterwards is killed."
    yield "KillMode=mixed"
    yield "# A sign of life only while the loops move. A hung daemon is ended with SIGABRT, and says where it hung."
    yield f"WatchdogSec={WATCHDOG_S}"
    yield ""
    yield "# Its own control group, in which it gives each run with limits of memory or processes one of its own."
    yield "Delegate=memory pids"
    yield "# One slot out of memory fails that run only."
    yield "OOMPolicy=continue"
    yield f"# {memory.why}"
    yield f"MemoryMax={format_size(options.memory_max or memory.most_bytes)}"
    yield "LimitNOFILE=65536"


def _environment(loaded: "Loaded") -> Iterator[tuple[str, str]]:
    """Yield what variables of this shell have settled, so that the service has the same values; never a secret."""
    environ = loaded.options.environ
    for path, origin in loaded.origins.items():
        is_secret = path.removeprefix("connections.") in _URLS
        name = origin.detail
        if origin.source is OriginKind.ENVIRONMENT and not is_secret and name in environ:
            yield name, environ[name]


def _secrets(loaded: "Loaded") -> Iterator[str]:
    """Hand secrets that stand in files over as credentials; say which variables must come from a file of root's."""
    named: list[str] = []
    credentials: list[str] = []
    for key, variable in _URLS.items():
        file, name = _source_of(loaded, key, variable)
        if file is not None:
            credentials.append(f"LoadCredential={key}:{escaped(str(file))}")
            credentials.append(f"Environment={variable}_FILE=%d/{key}")
        elif name:
            named.append(name)
    if credentials:
        yield ""
        yield "# Read by systemd as root; only this service sees them."
        yield from credentials
    if named:
        yield ""
        yield f"# A file that root alone can read, with: {', '.join(f'{name}=…' for name in named)}"
        yield "EnvironmentFile=/etc/netscript-workers/environment"


def _source_of(loaded: "Loaded", key: str, variable: str) -> tuple[Path | None, str]:
    """Return the file that holds the URL of `key`, or the variable that does."""
    origin = loaded.origins.get(f"connections.{key}")
    if origin is None or origin.value is None:
        return None, ""
    if origin.source is OriginKind.ENVIRONMENT:
        if origin.detail == f"{variable}_FILE":
            return loaded.options.cwd / Path(loaded.options.environ[origin.detail]).expanduser(), ""
        return None, origin.detail
    reference = _REFERENCE.search(origin.detail)
    if reference is None:
        return None, ""
    if reference["kind"] == "env":
        return None, reference["place"]
    return _base(loaded) / Path(reference["place"]).expanduser(), ""


def _places(
    loaded: "Loaded", settings: "Settings", targets: Mapping[str, Target], options: UnitOptions
) -> Iterator[str]:
    """Say what stays writable, and whether homes are needed."""
    needed = (
        options.command,
        options.interpreter,
        str(_base(loaded)),
        str(settings.jobs_dir),
        str(settings.tasks_dir),
    )
    at_home = any(path.startswith(tuple(f"{home}/" for home in _HOMES)) for path in needed)
    yield f"ProtectHome={'read-only' if at_home else 'yes'}"
    state, others = _writable(settings, targets)
    if state:
        yield f"StateDirectory={' '.join(escaped(name) for name in state)}"
    if others:
        yield f"ReadWritePaths={' '.join(quoted(f'-{path}') for path in others)}"


def _writable(settings: "Settings", targets: Mapping[str, Target]) -> tuple[Sequence[str], Sequence[str]]:
    """Return the directories below /var/lib, by name, and the other paths that something of the config writes to."""
    paths: set[Path] = set()
    store = resolve_records(settings).provider if _is_amqp(settings) else resolve_provider(settings).provider
    if store in (Provider.DENO_KV, Provider.REDIS):  # with Redis the archive may be there
        paths.add(Path(settings.connections.deno_kv_path).parent)
    for target in targets.values():
        grants = target.permissions.write if target.permissions is not None and target.enabled else False
        if isinstance(grants, tuple | list):
            paths |= {Path(one) for one in grants if Path(one).is_absolute()}
    state = sorted(str(path.relative_to(_STATE)) for path in paths if _STATE in path.parents)
    return state, sorted(str(path) for path in paths if _STATE not in path.parents)


def _is_amqp(settings: "Settings") -> bool:
    return resolve_provider(settings).provider is Provider.AMQP


def _base(loaded: "Loaded") -> Path:
    return loaded.file.parent if loaded.file is not None else loaded.options.cwd


def escaped(text: str) -> str:
    """Keep systemd from reading `%` as a specifier."""
    return text.replace("%", "%%")


def quoted(word: str) -> str:
    """Write one word so that systemd reads it as one."""
    word = escaped(word)
    if re.fullmatch(r"[\w@%+=:,./-]+", word):
        return word
    inner = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{inner}"'
