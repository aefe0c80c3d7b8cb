"""The size of the pool: which lanes a worker process serves and how many slots it holds (SPEC section 4)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from netscript_workers.domain.target import DEFAULT_TOPIC

UNCONFIGURED_SIZE: Final = 1


class Lane(msgspec.Struct, frozen=True):
    """Topics that share a limit: at most `limit` of the pool's slots run their executions at a time."""

    topics: tuple[str, ...]
    limit: int


class Pool(msgspec.Struct, frozen=True):
    """The slots of one worker process: `size` in all, shared by `lanes`; `rule` says in words why so many."""

    size: int
    lanes: tuple[Lane, ...]
    rule: str


class SizeOverride(msgspec.Struct, frozen=True):
    """A size somebody asked for: `--concurrency` or `WORKERS_CONCURRENCY`, `name` telling which."""

    size: int
    name: str


def plan_pool(
    *,
    groups: Mapping[str, int],
    concurrency: int,
    topics: Iterable[str] = (),
    served: Sequence[str] = (),
    without: Sequence[str] = (),
    override: SizeOverride | None = None,
    configured: bool = True,
) -> Pool:
    """Apply the pool-size rule.

    `groups` gives the limit of each group's topic; `concurrency` is the one limit that all topics without a group share.
    `topics` are those that targets name (`default` is always among them, so that what arrives for nobody is dealt with).
    `served` restricts the process to some topics (`--topic`); empty means all, and a topic nobody knows counts as one
    without a group; `without` takes topics out of either (`--without-topic`). `configured` is false when there is no
    config file. Lanes come in a stable order: the shared one first, then the groups by their order in `groups`.
    """
    lanes = _lanes(groups, concurrency, topics, served, without)
    total = sum(lane.limit for lane in lanes)
    if override is not None:
        return Pool(override.size, lanes, _override_rule(override, total))
    if not configured:
        return Pool(
            UNCONFIGURED_SIZE,
            lanes,
            "there is neither a config file nor WORKERS_CONCURRENCY nor --concurrency: the pool is 1",
        )
    return Pool(total, lanes, _sum_rule(lanes, total))


def _lanes(
    groups: Mapping[str, int],
    concurrency: int,
    topics: Iterable[str],
    served: Sequence[str],
    without: Sequence[str],
) -> tuple[Lane, ...]:
    known = dict.fromkeys(served or (DEFAULT_TOPIC, *sorted(topics), *groups))
    wanted = tuple(topic for topic in known if topic not in without)
    shared = tuple(topic for topic in wanted if topic not in groups)
    lanes = [Lane(shared, concurrency)] if shared else []
    lanes.extend(Lane((topic,), limit) for topic, limit in groups.items() if topic in wanted)
    return tuple(lanes)


def _override_rule(override: SizeOverride, total: int) -> str:
    rule = f"{override.name} sets the size of the pool to {override.size}; the lanes share it, each within its limit"
    if total < override.size:
        rule += f" (together at most {total})"
    return rule


def _sum_rule(lanes: tuple[Lane, ...], total: int) -> str:
    terms = " + ".join(f"{lane.limit} ({', '.join(lane.topics)})" for lane in lanes)
    if len(lanes) == 1:
        return f"the limit of the one lane served: {terms}"
    return f"the lanes served add up: {terms} = {total}"
