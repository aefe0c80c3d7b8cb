"""Bytes of a program's output, cut into lines, with a bound on what is held."""

from typing import Final

MAX_LINE_BYTES: Final = 16 * 1024
CUT_MARK: Final = " … (line cut)"


class LineSplitter:
    """Cuts a stream into lines, however its pieces arrive. Holds at most `limit` bytes.

    A longer line yields its first `limit` bytes with a mark, and the rest of it is dropped. Bytes that are
    not UTF-8 are shown as the replacement character.
    """

    __slots__ = ("_held", "_limit", "_skipping")

    def __init__(self, limit: int = MAX_LINE_BYTES) -> None:
        self._limit = limit
        self._held = b""
        self._skipping = False

    def feed(self, data: bytes) -> list[str]:
        """Take the next piece and return the lines it completes."""
        if b"\n" not in data:
            return self._hold(data)
        first, *others = data.split(b"\n")
        rest = others.pop()
        lines = self._hold(first)
        if not self._skipping:
            lines.append(_text(self._held))
        self._held = b""
        self._skipping = False
        lines += [self._bounded(line) for line in others]
        lines += self._hold(rest)
        return lines

    def finish(self) -> list[str]:
        """Return the last line when it was left open, and begin anew."""
        lines = [_text(self._held)] if self._held and not self._skipping else []
        self._held = b""
        self._skipping = False
        return lines

    def _hold(self, piece: bytes) -> list[str]:
        """Add to the open line; returns it, marked, when it outgrows the limit, and drops the rest of it from there on."""
        if self._skipping:
            return []
        self._held = self._held + piece if self._held else piece
        if len(self._held) <= self._limit:
            return []
        line = self._bounded(self._held)
        self._held = b""
        self._skipping = True
        return [line]

    def _bounded(self, line: bytes) -> str:
        return _text(line) if len(line) <= self._limit else _text(line[: self._limit]) + CUT_MARK


def _text(line: bytes) -> str:
    return (line[:-1] if line.endswith(b"\r") else line).decode("utf-8", "replace")
