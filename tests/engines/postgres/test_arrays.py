"""Array literals mean what the lists meant."""

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netscript_workers.engines.postgres.arrays import ints, texts
from netscript_workers.engines.postgres.rows import writable

TEXTS = st.lists(
    st.none() | st.text() | st.sampled_from(["", "NULL", '"', "\\", "{}", "a,b", " x ", '","']), min_size=1
)
INTS = st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1)


@pytest.mark.services
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(some=TEXTS, numbers=INTS)
def test_the_server_reads_what_was_written(postgres_server, some, numbers):
    import asyncio

    async def read() -> None:
        connection = await asyncpg.connect(postgres_server.url)
        try:
            wanted = [writable(one) for one in some]
            got = await connection.fetchrow(
                "SELECT $1::text::text[], $2::text::bigint[]", texts(wanted), ints(numbers)
            )
            assert (got[0] or [None] * len(some)) == wanted
            assert (got[1] or [None] * len(numbers)) == numbers
        finally:
            await connection.close()

    asyncio.run(read())
