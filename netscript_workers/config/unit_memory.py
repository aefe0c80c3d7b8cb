"""How much memory a unit may use, from the plan of each of its processes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from netscript_workers.config.options import Loaded
from netscript_workers.config.plan import make_plan
from netscript_workers.config.tree import Branch, plan_tree
from netscript_workers.domain.size import show_size
from netscript_workers.domain.target import Target

if TYPE_CHECKING:
    from netscript_workers.config.settings import Settings

_SUPERVISOR_BYTES: Final = 32 << 20
_HEADROOM: Final = 4  # the plan knows no handler's own memory
_LEAST: Final = 512 << 20
_STEP: Final = 64 << 20


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """The bound in bytes, how many processes it is for, and in words where it comes from."""

    most_bytes: int
    processes: int
    why: str


def memory_of(loaded: Loaded, settings: "Settings", targets: Mapping[str, Target], role: str) -> Memory:
    """Add the plans of all processes up that `role` keeps, and leave room for what handlers allocate."""
    branches = plan_tree(settings) if role == "run" else [Branch(name=role, role=role)]
    planned = sum(make_plan(_for(loaded, branch), settings, targets).memory_bytes for branch in branches) + (
        _SUPERVISOR_BYTES if role == "run" else 0
    )
    most = max(_LEAST, -(-planned * _HEADROOM // _STEP) * _STEP)
    return Memory(
        most_bytes=most,
        processes=len(branches),
        why=f"The plan is {show_size(planned)} without what handlers allocate themselves (`workers validate --explain`); "
        "this leaves them room. Measure yours.",
    )


def _for(loaded: Loaded, branch: Branch) -> Loaded:
    """Return `loaded` with the topics of one process."""
    options = msgspec.structs.replace(loaded.options, topics=branch.topics, without_topics=branch.without)
    return Loaded(
        options=options,
        file=loaded.file,
        problems=loaded.problems,
        partial=loaded.partial,
        origins=loaded.origins,
        places=loaded.places,
        worker_id=loaded.worker_id,
    )
