"""Whatever a file says, loading it ends in settings or in problems, never in an exception."""

import tempfile
from pathlib import Path

import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from netscript_workers import config
from netscript_workers.config.definitions import GroupTable, JobTable, TaskTable
from netscript_workers.config.settings import Settings
from netscript_workers.config.spelling import spellings
from netscript_workers.domain.problem import Severity

WORDS = sorted({word for model in (Settings, GroupTable, JobTable, TaskTable) for word in spellings(model)})
KEYS = st.sampled_from(
    [*WORDS, "net", "import", "kv_days", "memory", "bogus", "a b", "mode", "listen", "token"]
)
SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.sampled_from(
        [
            "",
            "a",
            "deno",
            "in-process",
            "30s",
            "env:X",
            "file:/",
            "redis://h",
            "network",
            "* * * * *",
            "\0",
            "a.py",
        ]
    ),
    st.text(max_size=5),
    st.dates(),
    st.times(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.lists(st.dictionaries(KEYS, inner, max_size=4), max_size=3)
    ),
    max_leaves=15,
)


VARIABLES = st.sampled_from(
    ["WORKERS_CONCURRENCY", "DENO_KV_URL", "REDIS_URL_FILE", "WORKERS_ENABLED", "AMQP_URL"]
)
IN_ENVIRON = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=6), st.dictionaries(VARIABLES, IN_ENVIRON))
def test_any_document_and_environment_are_judged(document, environ):
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "config.toml")
        file.write_bytes(tomli_w.dumps(document).encode())
        loaded = config.load(config.LoadOptions(path=file, environ=environ, cwd=Path(directory)))
        wrong = [problem for problem in loaded.problems if problem.severity is Severity.ERROR]
        assert (loaded.settings is None) == bool(wrong)
        assert "concurrency" in loaded.origins
        config.unavailable(loaded.partial)
        loaded.partial.declarations()
