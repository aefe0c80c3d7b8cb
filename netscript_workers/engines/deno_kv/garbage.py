"""What came from a queue and is not in our format, kept with its bytes."""

import secrets

from netscript_workers.engines.deno_kv.rows import writable
from netscript_workers.engines.deno_kv.statements import Statements
from netscript_workers.engines.deno_kv.transaction import Transaction


def bury(tx: Transaction, sql: Statements, queue: int, raw: bytes, reason: str, now: int) -> str:
    """Keep `raw` as a dead letter that failed at `now` (ms since 1970); return the id it is known by."""
    garbage_id = f"garbage-{secrets.token_hex(8)}"
    tx.run(
        sql["bury_raw"],
        {"queue": queue, "id": garbage_id, "now": now, "reason": writable(reason), "raw": raw},
    )
    return garbage_id
