"""What commands print. Data goes to stdout, everything else to stderr.

On a terminal there is colour; in a pipe, a file or under NO_COLOR the same text is plain.
"""

import json
import os
import sys
from collections.abc import Sequence
from typing import Any, Final

from netscript_workers.cli.faults import without_credentials

COLOURS: Final = {
    "completed": "green",
    "running": "cyan",
    "queued": "blue",
    "pending": "yellow",
    "failed": "red",
    "timeout": "red",
    "cancelled": "magenta",
    "paused": "yellow",
    "ok": "green",
    "warning": "yellow",
    "missing": "yellow",
    "problem": "red",
}
_SECOND: Final = 1_000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


def data(text: str) -> None:
    """Print data to stdout."""
    print(text)


def data_json(value: Any) -> None:
    """Print `value` as JSON to stdout."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def note(text: str) -> None:
    """Tell something on stderr."""
    print(without_credentials(text), file=sys.stderr, flush=True)


def is_terminal(stream: Any) -> bool:
    """Tell whether a person looks at `stream`."""
    return stream is not None and stream.isatty()


def has_colour(stream: Any) -> bool:
    """Tell whether `stream` may have colour."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[str] = ()) -> None:
    """Print a table to stdout; the columns named in `numbers` are aligned to the right.

    Nothing is cut or folded, so that an id can be copied: on a narrow terminal the lines wrap.
    """
    colour = has_colour(sys.stdout)
    cells = [list(headings), *[[_flat(cell) for cell in row] for row in rows]]
    widths = [max(len(line[column]) for line in cells) for column in range(len(headings))]
    for number, line in enumerate(cells):
        parts = [
            _cell(cell, cell.rjust(width) if heading in numbers else cell.ljust(width), colour)
            for heading, cell, width in zip(headings, line, widths, strict=True)
        ]
        text = "  ".join(parts).rstrip()
        print(f"\x1b[1m{text}\x1b[0m" if colour and number == 0 else text)


def pairs(rows: Sequence[tuple[str, str]]) -> None:
    """Print names and values, one pair on a line, the values aligned."""
    width = max((len(name) for name, _ in rows), default=0)
    colour = has_colour(sys.stdout)
    for name, value in rows:
        label = name.ljust(width)
        lines = value.splitlines() or [""]
        head = f"\x1b[2m{label}\x1b[0m" if colour else label
        print(f"{head}  {painted(lines[0], colour)}".rstrip())
        for line in lines[1:]:
            print(f"{' ' * width}  {line}".rstrip())


def painted(word: str, colour: bool) -> str:
    """Give a status word its colour, where there is colour."""
    codes = {"green": 32, "cyan": 36, "blue": 34, "yellow": 33, "red": 31, "magenta": 35}
    code = codes.get(COLOURS.get(word, ""))
    return f"\x1b[{code}m{word}\x1b[0m" if colour and code is not None else word


def moment(time_ms: int | None) -> str:
    """Write ms since 1970 as UTC to the second; nothing for None."""
    from netscript_workers.domain.wire import iso

    text = iso(time_ms)
    return "" if text is None else f"{text[:10]} {text[11:19]}Z"


def span(duration_ms: float | None) -> str:
    """Write a duration the way people read it: `12 ms`, `1.4 s`, `3 m 05 s`, `2 h 10 m`, `3 d 4 h`."""
    if duration_ms is None:
        return ""
    whole = round(duration_ms)
    if whole < _SECOND:
        return f"{whole} ms"
    if whole < _MINUTE:
        return f"{duration_ms / _SECOND:.1f} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} m {whole % _MINUTE // _SECOND:02d} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} m"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def first_line(text: str | None, width: int) -> str:
    """Return the last non-empty line of an error when it is a traceback, else its first, cut to `width`."""
    lines = [line for line in (text or "").splitlines() if line.strip()]
    if not lines:
        return ""
    line = lines[-1] if lines[0].startswith("Traceback") else lines[0]
    return line if len(line) <= width else f"{line[: width - 1]}…"


def count(number: int, noun: str) -> str:
    """Write a number with its noun: `1 execution`, `3 executions`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _flat(cell: str) -> str:
    return " ".join(cell.split())


def _cell(word: str, padded: str, colour: bool) -> str:
    return padded.replace(word, painted(word, colour), 1) if word in COLOURS else padded
