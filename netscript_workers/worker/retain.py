"""How long a finished execution is kept."""

from typing import Final

from netscript_workers.domain.settlement import Retain
from netscript_workers.domain.target import DB_DAYS, KV_DAYS, Target
from netscript_workers.ports.promises import DAY_MS

_DEFAULT_RETAIN: Final = Retain(KV_DAYS * DAY_MS, DB_DAYS * DAY_MS)


def retain_of(target: Target | None) -> Retain:
    """Return how long a finished execution of `target` is kept; an unknown target has the defaults of SPEC section 4.

    A task with `persist = false` is never archived: its record ends with its live age.
    """
    if target is None:
        return _DEFAULT_RETAIN
    retention = target.retention
    archive_days = retention.db_days if target.persist else 0
    return Retain(retention.kv_days * DAY_MS, archive_days * DAY_MS)
