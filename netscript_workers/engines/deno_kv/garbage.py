"""What came from a queue and is not in our format, kept with its bytes."""

import secrets

from netscript_workers.engines.deno_kv.rows import writable
from netscript_workers.engines.deno_kv.statements import Statements
from netscript_workers.engines.deno_kv.transaction import Transaction
from netscript_workers.ports.promises import GARBAGE_KEEP_MS


def kept_since(now: int) -> int:
    """Return when what is kept at `now` was found at the earliest (ms since 1970): what is older counts as gone."""
    return now - GARBAGE_KEEP_MS


def bury(tx: Transaction, sql: Statements, queue: int, raw: bytes, reason: str, now: int) -> str:
    """Keep `raw` as a dead letter that failed at `now` (ms since 1970); return the id it is known by."""
    tx.run(sql["drop_garbage"], {"queue": queue, "kept_since": kept_since(now)})
    garbage_id = f"garbage-{secrets.token_hex(8)}"
    tx.run(
        sql["bury_raw"],
        {"queue": queue, "id": garbage_id, "now": now, "reason": writable(reason), "raw": raw},
    )
    return garbage_id
