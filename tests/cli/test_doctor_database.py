"""The doctor says what holds back PostgreSQL's vacuum, and what to do about it."""

import asyncpg
import pytest

from netscript_workers.cli.doctor_database import findings, judged
from netscript_workers.cli.doctor_finding import State
from netscript_workers.config import SecretUrl
from netscript_workers.engines.postgres import PostgresTables
from netscript_workers.ports.tables import Horizon
from support.servers import free_port

HOUR_MS = 3_600_000


def horizon(**fields):
    told = {
        "kind": "session",
        "name": "psql",
        "pid": 7,
        "state": "idle in transaction",
        "age_ms": 5_000,
        "behind": 3,
    }
    return Horizon(**{**told, **fields})


class Named:
    """As much of the settings as the check looks at."""

    def __init__(self, url):
        self.connections = self
        self.database_url = None if url is None else SecretUrl(url)


@pytest.mark.parametrize(
    ("seen", "state", "found", "advice"),
    [
        (None, State.OK, "nothing holds back vacuum", ""),
        (
            horizon(),
            State.OK,
            "session with pid 7 (psql, idle in transaction): open for 5 s, 3 transactions",
            "",
        ),
        (
            horizon(age_ms=3 * HOUR_MS + 90_000),
            State.WARNING,
            "open for 3 h 1 min",
            "pg_terminate_backend(7)",
        ),
        (horizon(behind=2_000_000), State.WARNING, "2000000 transactions behind", "pg_terminate_backend(7)"),
        (
            horizon(kind="prepared", name="it's", pid=None, state=None, age_ms=HOUR_MS),
            State.WARNING,
            "prepared (it's): open for 1 h 0 min",
            "ROLLBACK PREPARED 'it''s'",
        ),
        (
            horizon(kind="slot", name="old", pid=None, state="inactive", age_ms=None, behind=1_500_000),
            State.WARNING,
            "slot (old, inactive): 1500000 transactions behind",
            "pg_drop_replication_slot('old')",
        ),
        (horizon(kind="standby", age_ms=HOUR_MS), State.WARNING, "standby with pid 7", "on the standby"),
    ],
)
def test_what_holds_back_vacuum_is_told_with_what_to_do(seen, state, found, advice):
    finding = judged(seen)
    assert finding.state is state
    assert found in finding.found
    assert advice in finding.advice
    assert bool(finding.advice) == (state is State.WARNING)


async def test_an_open_transaction_is_found_with_its_process_and_age(postgres_server):
    url = postgres_server.new_database()
    tables = PostgresTables(url)
    assert await tables.horizon() is None
    holder = await asyncpg.connect(url, server_settings={"application_name": "report"})
    later = await asyncpg.connect(url, server_settings={"application_name": "later"})
    for one in (holder, later):
        await one.transaction(isolation="repeatable_read").start()
        await one.fetch("SELECT 1")
        postgres_server.sql("CREATE TABLE IF NOT EXISTS passing ()", url=url)  # a transaction begun since
    seen = await tables.horizon()
    assert (seen.kind, seen.name, seen.state) == ("session", "report", "idle in transaction")
    assert seen.pid == holder.get_server_pid()
    assert seen.age_ms >= 0
    assert seen.behind >= 1
    await holder.close()
    assert (await tables.horizon()).name == "later"
    await later.close()


def test_the_check_is_made_where_there_is_a_database_and_bounded(postgres_server):
    assert list(findings(Named(None))) == []
    (fine,) = findings(Named(postgres_server.new_database()))
    assert fine.state is State.OK
    url = f"postgresql://u:secret@127.0.0.1:{free_port()}/db"
    (away,) = findings(Named(url))
    assert away.state is State.PROBLEM
    assert "secret" not in away.found
