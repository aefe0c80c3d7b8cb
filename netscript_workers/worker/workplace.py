"""What a worker works out from its targets and its runners, again whenever a reload has changed them."""

from collections.abc import Mapping

from netscript_workers.domain.target import Mode, Target
from netscript_workers.ports.runner import ChainingRunner, Runner


def chaining_of(runners: Mapping[Mode, Runner]) -> dict[Mode, ChainingRunner]:
    """Return the runners whose slots can be handed runs ahead, with their present settings."""
    return {mode: one for mode, one in runners.items() if isinstance(one, ChainingRunner) and one.chains}


def limits_of(targets: Mapping[str, Target]) -> dict[str, int]:
    """Return `max_concurrency` by target, of those that have one."""
    return {
        target.id: target.max_concurrency for target in targets.values() if target.max_concurrency is not None
    }
