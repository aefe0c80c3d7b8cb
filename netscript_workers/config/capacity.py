"""The pool that loaded settings lead to."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from netscript_workers.config.options import OriginKind
from netscript_workers.domain.pool import Pool, SizeOverride, plan_pool
from netscript_workers.domain.target import Target

if TYPE_CHECKING:
    from netscript_workers.config.options import Loaded
    from netscript_workers.config.settings import Settings


def pool_for(loaded: "Loaded", settings: "Settings", targets: Mapping[str, Target]) -> Pool:
    """Apply the pool-size rule to what was loaded and to the topics that `targets` name."""
    origin = loaded.origins["concurrency"]
    asked = origin.source in (OriginKind.ENVIRONMENT, OriginKind.COMMAND_LINE)
    return plan_pool(
        groups=settings.group_limits(),
        concurrency=settings.concurrency,
        topics=sorted({target.topic for target in targets.values()}),
        served=loaded.topics,
        without=loaded.options.without_topics,
        override=SizeOverride(settings.concurrency, origin.detail) if asked else None,
        configured=loaded.file is not None,
    )
