"""Which processes `workers run` keeps (SPEC section 5)."""

from typing import TYPE_CHECKING

import msgspec

from netscript_workers.config.choices import ScalingMode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netscript_workers.config.settings import Settings


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """One process: the command that it runs (`role`), and the topics that it serves (none named: all) or leaves to others."""

    name: str
    role: str
    topics: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


def plan_tree(settings: "Settings", topics: "Sequence[str]" = ()) -> list[Branch]:
    """Return the processes in the order of their start; `topics` restricts them to some (`--topic`).

    The combined process serves every topic that is no distributed group's, and schedules. Each distributed group has a worker of
    its own. A scheduler of its own comes with them, so that schedules go on while one of the others is started again: two
    enqueue no tick twice.
    """
    distributed = [group.topic for group in settings.groups if group.scaling.mode is ScalingMode.DISTRIBUTED]
    alone = [topic for topic in distributed if not topics or topic in topics]
    together = tuple(topic for topic in topics if topic not in distributed)
    branches: list[Branch] = []
    if together or not topics:
        branches.append(
            Branch(
                name="combined",
                role="combined",
                topics=together,
                without=() if together else tuple(distributed),
            )
        )
    branches += [Branch(name=f"worker-{topic}", role="worker", topics=(topic,)) for topic in alone]
    if alone:
        branches.append(Branch(name="scheduler", role="scheduler"))
    return branches
