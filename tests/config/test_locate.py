"""Positions of TOML keys, for every way to write them."""

import tomllib

import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from netscript_workers.config.locate import locate

KEYS = st.text("abcXYZ019_- .\"'#=[]{}é\n", min_size=1, max_size=6)
SCALARS = st.one_of(
    st.booleans(),
    st.integers(-1000, 1000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text("ab\"'#,[]{}=\\\n\té", max_size=12),
    st.dates(),
    st.datetimes(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


def paths_of(value, path=()):
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key)
            yield from paths_of(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield (*path, index)
            yield from paths_of(item, (*path, index))


@given(st.dictionaries(KEYS, VALUES, max_size=5), st.booleans())
def test_every_key_and_element_of_any_document_has_a_position_where_it_stands(document, multiline):
    text = tomli_w.dumps(document, multiline_strings=multiline)
    parsed = tomllib.loads(text)
    positions = locate(text)
    lines = text.replace("\r\n", "\n").split("\n")
    assert set(paths_of(parsed)) <= set(positions)
    for path, position in positions.items():
        if isinstance(path[-1], str):
            rest = lines[position.line - 1][position.column - 1 :]
            assert rest.startswith(("'", '"', path[-1]))


def test_dotted_keys_inline_tables_and_comments():
    text = (
        'a.b = 1 # a.c = 2\n"q.r" = { x = [ 1, # no\n 2 ], y.z = 3 }\n'
        "[[t]]\nk = 1\n[[t]]\n[t.u]\nv = '''x\n[no]\n'''\nw = 1979-05-27 07:32:00\n"
    )
    positions = locate(text)
    assert positions["a", "b"] == (1, 3)
    assert positions["q.r", "x", 1] == (3, 2)
    assert positions["q.r", "y", "z"] == (3, 9)
    assert positions["t", 0] == (4, 3)
    assert positions["t", 1] == (6, 3)
    assert positions["t", 1, "u", "v"] == (8, 1)
    assert positions["t", 1, "u", "w"] == (11, 1)


def test_windows_line_ends_count_as_one():
    assert locate('a = """x\r\ny"""\r\nb = 1\r\n')["b",] == (3, 1)
