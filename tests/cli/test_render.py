"""What commands print: plain and whole in a pipe, coloured on a terminal."""

import pytest

from netscript_workers.cli import render

ROWS = [["hello", "completed", "12 ms"], ["a-much-longer-name " * 6, "failed", "1.5 s"]]


class Terminal:
    """A stream that a person looks at."""

    def __init__(self):
        self.written = ""

    def write(self, text):
        self.written += text

    def flush(self):
        pass

    def isatty(self):
        return True


def test_a_table_in_a_pipe_is_aligned_and_never_cut(capsys):
    render.table(["TARGET", "STATUS", "TOOK"], ROWS, numbers=["TOOK"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["hello", "completed", "12", "ms"]
    assert lines[2].count("a-much-longer-name") == 6
    assert (
        len({line.index(word) for line, word in zip(lines, ("STATUS", "completed", "failed"), strict=True)})
        == 1
    )
    assert len({len(line) for line in lines}) == 1
    assert "\x1b" not in "".join(lines)


def test_a_table_on_a_terminal_has_colour_unless_it_is_not_wanted(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("sys.stdout", coloured := Terminal())
    render.table(["TARGET", "STATUS", "TOOK"], ROWS)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stdout", plain := Terminal())
    render.table(["TARGET", "STATUS", "TOOK"], ROWS)
    assert "\x1b[32m" in coloured.written
    assert "\x1b" not in plain.written


def test_an_id_stays_in_one_piece_on_a_narrow_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout", terminal := Terminal())
    execution = "0199f3a2-8d1c-7a40-b0c1-5f2f5a1e9d77"
    render.table(
        ["EXECUTION", "TARGET", "STATUS", "ERROR"], [[execution, "hello", "failed", "a long story " * 9]]
    )
    assert execution in terminal.written


def test_json_goes_to_stdout_with_every_letter_as_it_is(capsys):
    render.data_json({"name": "Zoë"})
    assert capsys.readouterr().out == '{\n  "name": "Zoë"\n}\n'


def test_notes_go_to_stderr_without_credentials(capsys):
    render.note("cannot reach postgresql://me:secret@db/x")
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "cannot reach postgresql://***@db/x\n")


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (None, ""),
        (0, "0 ms"),
        (999, "999 ms"),
        (1_449, "1.4 s"),
        (185_000, "3 m 05 s"),
        (7_800_000, "2 h 10 m"),
        (273_600_000, "3 d 4 h"),
    ],
)
def test_durations_are_written_as_people_read_them(ms, text):
    assert render.span(ms) == text


def test_of_a_traceback_the_last_line_is_shown_and_long_ones_are_cut():
    trace = "Traceback (most recent call last):\n  File x\nValueError: no\n"
    assert render.first_line(trace, 60) == "ValueError: no"
    assert render.first_line("word " * 30, 10) == "word word…"
    assert render.first_line(None, 10) == ""


def test_times_are_utc_to_the_second():
    assert render.moment(1_795_000_000_123) == "2026-11-18 11:06:40Z"
    assert render.moment(None) == ""
