"""Deno's promise of `keysIfUndelivered`, kept by us: a message that ends as a dead letter is put under these keys in `kv`."""

import logging
import random
from collections.abc import Sequence

import msgspec

from netscript_workers.domain.execution import DEAD, Status
from netscript_workers.engines.deno_kv.rows import batch
from netscript_workers.engines.deno_kv.statements import Statements
from netscript_workers.engines.deno_kv.transaction import Transaction

_read_keys = msgspec.json.Decoder(list[list[int]]).decode
log = logging.getLogger("netscript_workers.engine")


class Undelivered:
    """What is kept for the messages of one queue, and put or dropped at their end; always within a transaction."""

    def __init__(self, sql: Statements, queue: int) -> None:
        """Serve the queue of that number."""
        self._sql = sql
        self._queue = queue

    def keep(self, tx: Transaction, execution_id: str, data: bytes, keys: str) -> None:
        """Remember `data` and Deno's `keys` until the execution ends."""
        tx.run(
            self._sql["keep_undelivered"],
            {"id": execution_id, "queue": self._queue, "data": data, "keys": keys},
        )

    def end(self, tx: Transaction, execution_ids: Sequence[str]) -> None:
        """Put what is kept for those that have ended as dead letters, and forget what is kept for all that have ended."""
        if not execution_ids or not tx.one(self._sql["has_undelivered"], {}):
            return
        parameters = {"ids": batch(list(execution_ids)), "queue": self._queue}
        ended = tx.db.execute(self._sql["read_undelivered"], parameters).fetchall()
        for execution_id, status, data, keys in ended:
            if Status(status) in DEAD:
                self.put(tx, data, keys, execution_id)
        if ended:
            parameters["ids"] = batch([row[0] for row in ended])
            tx.run(self._sql["drop_undelivered"], parameters)

    def put(self, tx: Transaction, data: bytes, keys: str, whose: str) -> None:
        """Write `data` under Deno's `keys`, all with one new versionstamp; `whose` names the message in the log."""
        try:
            found = [bytes(key) for key in _read_keys(keys)]
        except (msgspec.MsgspecError, ValueError) as error:
            log.warning("the keysIfUndelivered of %s cannot be read (%s); nothing is put", whose, error)
            return
        if not found:
            return
        version = tx.one(self._sql["next_version"], {"step": random.randint(1, 9)})  # Deno's own steps
        for key in found:
            tx.run(self._sql["put_undelivered"], {"key": key, "data": data, "version": version})
