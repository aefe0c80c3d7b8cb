"""Figures that every engine promises alike."""

from typing import Final

from netscript_workers.domain.target import DB_DAYS, KV_DAYS

DAY_MS: Final = 24 * 60 * 60 * 1000

KEY_HOLDS_MS: Final = DAY_MS
"""How long after its completion an execution still answers for its idempotency key."""

SEEN_WITHIN_MS: Final = 60_000
"""A worker that announced itself within this time is listed."""

LINES_KEPT: Final = 1000
"""How many log lines of an execution are kept: the last ones."""

CANCELLED_KEEP_MS: Final = KV_DAYS * DAY_MS
"""How long the record of an execution that never settled (cancelled while it waited) stays live."""

CANCELLED_ARCHIVE_MS: Final = DB_DAYS * DAY_MS
"""How long such a record stays in the archive after that."""

GARBAGE_KEEP_MS: Final = CANCELLED_KEEP_MS + CANCELLED_ARCHIVE_MS
"""How long what was not in our format is kept for somebody to look at: it has no retention of its own."""
