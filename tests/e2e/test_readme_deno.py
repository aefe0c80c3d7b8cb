"""The README's TypeScript, as a reader would run it."""

import re
from pathlib import Path

import pytest

from contracts.engines import claimed_ids
from netscript_workers.engines.deno_kv import DenoKvEngine
from netscript_workers.ports.history import HistoryQuery
from support.deno import run

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"^```ts\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.mark.e2e
@pytest.mark.services
async def test_the_typescript_program_enqueues_both_payments(deno, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "workers").mkdir()
    (block,) = BLOCK.findall(README.read_text())
    run(deno, tmp_path, block)
    engine = DenoKvEngine(tmp_path / "workers" / "queue.sqlite3")
    await engine.open()
    try:
        (now,) = await claimed_ids(engine)
        records = {
            record.decoded_payload()["order_id"]: record for record in await engine.find(HistoryQuery())
        }
        assert {record.target for record in records.values()} == {"process-payment"}
        assert records["A-2"].id == now
        assert records["A-2"].priority == 90
        assert records["A-1"].status.value == "pending"
        assert records["A-1"].idempotency_key == "A-1"
    finally:
        await engine.close()
