"""What was asked for and a host cannot enforce, why, and the cure. Pure."""

from typing import Final

import msgspec

from netscript_workers.domain.target import Limits
from netscript_workers.sandbox import landlock
from netscript_workers.sandbox.grants import Grants
from netscript_workers.sandbox.host import Host
from netscript_workers.sandbox.limits import are_known

_ROOMS_WHY: Final = "there are no namespaces for this user"
_ROOMS_CURE: Final = (
    "allow user namespaces (sysctl user.max_user_namespaces or kernel.unprivileged_userns_clone, "
    "a container's seccomp profile)"
)
_GROUPS_CURE: Final = "where a control group is delegated to it, as the unit of `workers systemd` does"
_LANDLOCK_CURE: Final = "boot with lsm=…,landlock on Linux 5.13 or later (6.2 for all of it)"


class Gap(msgspec.Struct, frozen=True):
    """Something that was asked for and cannot be enforced here, why, and the cure."""

    permission: str
    why: str
    cure: str

    def __str__(self) -> str:
        return f"{self.permission}: {self.why}; {self.cure}"


UNHIDDEN: Final = Gap(
    "read",
    "a grant covers the queue's own file, which can only be hidden by a mount namespace",
    f"grant less, or {_ROOMS_CURE}",
)
UNCOUNTED: Final = Gap(
    "limits.processes",
    "without a user namespace the kernel counts all processes of this user",
    f"give the target permissions, which bring a namespace, or {_GROUPS_CURE}",
)


UNLIMITED: Final = Gap(
    "limits",
    "limits are given to the kernel by number, and only those of Linux are known",
    "run the daemon on Linux, or leave out all limits but output",
)


def gaps_of_limits(limits: Limits) -> tuple[Gap, ...]:
    """Return what of the limits of a run without permissions cannot be enforced on this system."""
    if not are_known() and msgspec.structs.replace(limits, output=None) != Limits():
        return (UNLIMITED,)
    return () if limits.processes is None else (UNCOUNTED,)


def gaps_in(grants: Grants, limits: Limits, host: Host) -> list[Gap]:
    """Return what of `grants` and `limits` this host cannot enforce."""
    found = [_lost(problem) for problem in grants.problems]
    if not host.has_filter:
        why = host.filter_missing or "the sandbox needs Linux on x86_64 or aarch64"
        cure = "run the daemon on Linux 5.13 or later, or set sandbox = “best-effort”"
        return [*found, Gap("permissions", why, cure)]
    if not host.has_rooms:
        found += _without_rooms(grants, host)
    if isinstance(grants.run, tuple) and not host.landlock:
        why = "a list of programs needs Landlock, which this kernel has not or has switched off"
        found.append(Gap("run", why, _LANDLOCK_CURE))
    if limits.processes is not None and not counts_processes(host):
        why = (
            "processes are counted for each user of the machine, and never for root"
            if host.has_rooms
            else _ROOMS_WHY
        )
        cure = f"run the daemon as an ordinary user where user namespaces are on, or {_GROUPS_CURE}"
        found.append(Gap("limits.processes", why, cure))
    return found


def counts_processes(host: Host) -> bool:
    """Tell whether the kernel counts a run's processes apart from all others, and at all."""
    return host.has_rooms and host.user_rooms and not host.is_root


def _lost(problem: str) -> Gap:
    permission, _, why = problem.partition(": ")
    return Gap(permission, why, "mend the target's permissions")


def _without_rooms(grants: Grants, host: Host) -> list[Gap]:
    found: list[Gap] = []
    here = f"here it is ABI {host.landlock}, and {host.rooms_missing}"
    if isinstance(grants.net, tuple) and grants.net:
        why = f"a list of hosts needs a network namespace: {host.rooms_missing}"
        found.append(Gap("net", why, _ROOMS_CURE))
    if host.landlock < landlock.TRUNCATES_SINCE and not (grants.read is True and grants.write is True):
        why = f"files are kept by Landlock of ABI 3 or by a mount namespace; {here}"
        found.append(Gap("read and write", why, f"{_ROOMS_CURE}, or {_LANDLOCK_CURE}"))
    if host.landlock < landlock.SCOPES_SINCE:
        why = f"signals are kept by Landlock of ABI 6 or by a process namespace; {here}"
        found.append(Gap("other processes", why, f"{_ROOMS_CURE}, or use Linux 6.12 or later"))
    return found
