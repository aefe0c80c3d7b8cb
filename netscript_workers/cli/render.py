"""What commands print. Data goes to stdout, everything else to stderr.

On a terminal there is colour; in a pipe, a file or under NO_COLOR the same text is plain.
"""

import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from netscript_workers.cli.faults import without_credentials

if TYPE_CHECKING:
    from rich.table import Table

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
    from rich.table import Table
    from rich.text import Text

    flat = [[" ".join(cell.split()) for cell in row] for row in rows]
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        grid.add_column(heading, justify="right" if heading in numbers else "left", no_wrap=True)
    for row in flat:
        grid.add_row(*(Text(cell, style=COLOURS.get(cell, "")) for cell in row))
    _print_grid(grid, [list(headings), *flat])


def pairs(rows: Sequence[tuple[str, str]]) -> None:
    """Print names and values, one pair on a line, the values aligned."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(no_wrap=True)
    lines = [
        (name if number == 0 else "", line)
        for name, value in rows
        for number, line in enumerate(value.expandtabs().splitlines() or [""])
    ]
    for name, line in lines:
        grid.add_row(name, Text(line, style=COLOURS.get(line, "")))
    _print_grid(grid, lines)


def painted(word: str, colour: bool) -> str:
    """Give a status word its colour, where there is colour."""
    if not colour or word not in COLOURS:
        return word
    from rich.color import ColorSystem
    from rich.style import Style

    return Style(color=COLOURS[word]).render(word, color_system=ColorSystem.STANDARD)


def _print_grid(grid: "Table", cells: Sequence[Sequence[str]]) -> None:
    """Print what Rich drew, as wide as its widest cells ask for and with nothing but spaces cut at the ends of lines."""
    from rich.cells import cell_len
    from rich.console import Console

    columns = zip(*cells, strict=True)
    console = Console(
        file=sys.stdout,
        width=sum(max(cell_len(cell) for cell in column) + 2 for column in columns) if cells else 1,
        force_terminal=has_colour(sys.stdout),
        no_color=not has_colour(sys.stdout),
        highlight=False,
        emoji=False,
        markup=False,
    )
    with console.capture() as drawn:
        console.print(grid)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in drawn.get().splitlines()))


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
