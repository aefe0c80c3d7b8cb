"""What Deno's values become as JSON, and that no bytes do worse than be refused."""

import sqlite3

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netscript_workers.engines.deno_kv.v8 import UnreadableValueError, decode
from support.deno import run

ENQUEUE = """
const kv = await Deno.openKv(Deno.args[0]);
const cycle = { a: {} }; cycle.a.b = cycle;
const shared = { s: 1 };
const sparse = []; sparse[3] = 1; sparse[40] = undefined; sparse.length = 5;
const named = [1]; named.extra = 1;
let deep = 1; for (let i = 0; i < 150; i++) deep = { d: deep };
let bomb = { x: "yyyyyyyyyyyyyyyyyyy" }; for (let i = 0; i < 40; i++) bomb = [bomb, bomb];
class Point { constructor() { this.x = 1; } }
const values = {
  oneByte: "caf\\u00e9", twoByte: "snow \\u2603 \\ud83d\\ude00", alone: "x\\ud800y", nul: "a\\0b", empty: "",
  int: -5, unsigned: 4294967295, whole: 1795519958512, float: 1.5, minusZero: -0, large: 1e21,
  nan: NaN, infinite: -Infinity, big: 123456789012345678n, bigNegative: -5n, huge: 2n ** 70n,
  yes: true, no: false, nothing: null, undef: undefined,
  date: new Date(1795519958512), dateEarly: new Date(-62000000000000), dateBad: new Date(NaN), dateFar: new Date(8e15),
  map: new Map([["a", 1]]), set: new Set([1]), bytes: new Uint8Array([1, 2]), buffer: new ArrayBuffer(3),
  doubles: new Float64Array(2), bigs: new BigInt64Array(2), view: new DataView(new ArrayBuffer(4)),
  regexp: /x/g, error: new Error("e"), boxedText: new String("boxed \\u2603"), boxedNumber: new Number(4),
  boxedNo: new Boolean(false), boxedBig: Object(7n), sparse, holes: [1, , 3], named, undefs: [undefined, 1],
  shared: [shared, shared, [shared]], cycle, deep, bomb, instance: new Point(), keys: { 1: 2, "a b": 3, "1.5": 4 },
  nested: { a: [{ b: [1, { c: undefined, d: null }] }] },
};
for (const [name, value] of Object.entries(values)) await kv.enqueue({ name, value });
for (const value of [1, "x", null, [1], true, undefined]) await kv.enqueue(value);
kv.close();
"""
BYTES = "value is bytes; send text (base64) or an array of numbers"
MISSING = object()
EXPECTED = {
    "oneByte": "café",
    "twoByte": "snow ☃ 😀",
    "alone": "x\ufffdy",
    "nul": "a\0b",
    "empty": "",
    "int": -5,
    "unsigned": 4294967295,
    "whole": 1795519958512,
    "float": 1.5,
    "minusZero": 0,
    "large": 1e21,
    "nan": "value is nan, which JSON does not have",
    "infinite": "value is -inf, which JSON does not have",
    "big": 123456789012345678,
    "bigNegative": -5,
    "huge": "value is a BigInt beyond 64 bits; send it as text",
    "yes": True,
    "no": False,
    "nothing": None,
    "undef": MISSING,
    "date": "2026-11-24T11:32:38.512Z",
    "dateEarly": "0005-04-19T09:46:40.000Z",
    "dateBad": "value is a Date beyond the years 1 to 9999",
    "dateFar": "value is a Date beyond the years 1 to 9999",
    "map": "value is a Map; send a plain object: Object.fromEntries(map)",
    "set": "value is a Set; send an array: [...set]",
    "bytes": BYTES,
    "buffer": BYTES,
    "doubles": BYTES,
    "bigs": BYTES,
    "view": BYTES,
    "regexp": "value is a regular expression; send its source as text",
    "error": "value is an Error; send its message as text",
    "boxedText": "boxed ☃",
    "boxedNumber": 4,
    "boxedNo": False,
    "boxedBig": 7,
    "sparse": [None, None, None, 1, None],
    "holes": [1, None, 3],
    "named": "value is an array with a member 'extra' of its own",
    "undefs": [None, 1],
    "shared": [{"s": 1}, {"s": 1}, [{"s": 1}]],
    "cycle": "value.a.b contains itself; JSON cannot hold a cycle",
    "deep": "lies more than 100 objects deep",
    "bomb": "makes it larger than",
    "instance": {"x": 1},
    "keys": {"1": 2, "a b": 3, "1.5": 4},
    "nested": {"a": [{"b": [1, {"d": None}]}]},
}


def tried(data: bytes):
    """Return the value and None, or None and why there is none."""
    try:
        return decode(data), None
    except UnreadableValueError as error:
        return None, str(error)


@pytest.mark.services
def test_every_type_that_deno_enqueues_is_converted_or_refused_with_its_path(deno, tmp_path):
    run(deno, tmp_path, ENQUEUE, str(tmp_path / "q.db"))
    db = sqlite3.connect(tmp_path / "q.db")
    rows = [bytes(data) for (data,) in db.execute("SELECT data FROM queue ORDER BY rowid")]
    db.close()
    names = list(EXPECTED)
    for name, data in zip(names, rows, strict=False):
        expected, (value, refusal) = EXPECTED[name], tried(data)
        if refusal is not None:
            assert isinstance(expected, str), f"{name}: {refusal}"
            assert expected in refusal, name
            continue
        assert value == ({"name": name} if expected is MISSING else {"name": name, "value": expected})
        assert type(value.get("value")) is type(None if expected is MISSING else expected), name
    assert [decode(data) for data in rows[len(names) :]] == [1, "x", None, [1], True, None]


def test_earlier_versions_of_the_format_are_read_too():
    for version in (0x0D, 0x0E, 0x0F, 0x10):
        assert decode(bytes([0xFF, version]) + b'o"\x01aI\x02{\x01') == {"a": 1}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"\xff\x0cI\x02",
        b"\xff\x11I\x02",
        b"\xff\x10",
        b'\xff\x10o"\x01aI\x02{\x02',
        b"\xff\x10I\x02I\x02",
        b"\xff\x10a\xff\xff\xff\xff\x0f@\x00\xff\xff\xff\xff\x0f",
        b"\xff\x10A\xff\xff\xff\xff\x0f",
        b'\xff\x10"\xff\xff\xff\xff\x0f',
        b"\xff\x10^\x00",
        b"\xff\x10Z\xff\xff\xff\xff\x0f",
        b"\xff\x10" + b"A\x01" * 5_000,
        b"\xff\x10U" + b"\xff" * 60_000,
        b"\xff\x10s" * 300,
        b"\xff\x10s" + b"s" * 60_000,
        b"\xff\x10\\\x00",
    ],
)
def test_what_is_damaged_or_hostile_is_refused(data):
    with pytest.raises(UnreadableValueError):
        decode(data)


PIECES = st.one_of(
    st.binary(max_size=4),
    st.sampled_from([bytes([tag]) for tag in b"oA{$a@^DINUZ\"cST_F0-nyxsz;:',BVR\\r?\0\x01\x02\x08"]),
    st.sampled_from([b'o"\x01a', b"{\x01", b"A\x01", b"$\x00\x01", b"^\x00", b"N" + b"\0" * 8]),
)


@given(st.lists(PIECES, max_size=40).map(b"".join))
@example(b"\0")
def test_any_bytes_give_a_value_or_a_clean_error(body):
    for data in (body, b"\xff\x10" + body):
        _, refusal = tried(data)
        assert refusal is None or refusal
