"""Output is cut into lines however its pieces arrive, and never held without bound."""

from hypothesis import given
from hypothesis import strategies as st

from netscript_workers.processes.lines import CUT_MARK, LineSplitter


def cut(*pieces: bytes, limit: int = 100) -> list[str]:
    splitter = LineSplitter(limit)
    return [*(line for piece in pieces for line in splitter.feed(piece)), *splitter.finish()]


def test_lines_come_whole_from_pieces():
    assert cut(b"on", b"e\ntw", b"o\n\nthree") == ["one", "two", "", "three"]


def test_a_carriage_return_before_the_newline_is_no_part_of_the_line():
    assert cut(b"one\r\ntwo\r\n") == ["one", "two"]


def test_bytes_that_are_not_utf8_are_shown_as_such():
    assert cut(b"\xff\n") == ["\N{REPLACEMENT CHARACTER}"]


def test_a_long_line_is_cut_once_and_the_next_one_is_whole():
    assert cut(b"a" * 8, b"a" * 8, b"a" * 8 + b"\nb\n", limit=10) == ["a" * 10 + CUT_MARK, "b"]


def test_a_long_line_inside_one_piece_is_cut_too():
    assert cut(b"a\n" + b"b" * 30 + b"\nc\n", limit=10) == ["a", "b" * 10 + CUT_MARK, "c"]


@given(st.lists(st.text("ab\n", max_size=20)))
def test_it_does_not_matter_where_pieces_are_parted(pieces: list[str]):
    text = "".join(pieces)
    expected = text.split("\n")
    if not expected[-1]:
        expected.pop()
    assert cut(*(piece.encode() for piece in pieces), limit=1_000) == expected


@given(st.lists(st.binary(max_size=50)))
def test_never_more_is_held_than_the_limit(pieces: list[bytes]):
    splitter = LineSplitter(16)
    for piece in pieces:
        splitter.feed(piece)
        assert len(splitter._held) <= 16
