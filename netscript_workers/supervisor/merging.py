"""The lines of all children in one log: each says which process it comes from, and JSON stays JSON."""

import contextlib
import time
from collections.abc import Callable
from typing import Final, TextIO

import msgspec

from netscript_workers.domain.wire import iso

LINE_BYTES: Final = 256 * 1024  # a log line with a traceback; a longer one is cut
_LEVELS: Final = {"stdout": "info", "stderr": "warning"}


class MergedLog:
    """Writes whole lines to `out` (not owned). A line that cannot be written (a full disk) is lost, and counted in `lost`."""

    def __init__(self, out: TextIO | None, *, as_json: bool, now_ms: Callable[[], int] | None = None) -> None:
        """Write JSON lines when `as_json`, else text with the process in brackets."""
        self._out = out
        self._as_json = as_json
        self._now_ms = now_ms or (lambda: time.time_ns() // 1_000_000)
        self.lost = 0

    def write(self, process: str, stream: str, line: str) -> None:
        """Write one `line` that `process` has printed to `stream` (`stdout` or `stderr`)."""
        if self._out is None:
            return
        text = self._in_json(process, stream, line) if self._as_json else f"[{process}] {line}"
        try:
            self._out.write(text + "\n")
            self._out.flush()
        except (OSError, ValueError):  # nowhere to say it
            self.lost += 1

    def _in_json(self, process: str, stream: str, line: str) -> str:
        with contextlib.suppress(msgspec.DecodeError):
            if line.startswith("{"):
                fields = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
                process_field = msgspec.Raw(msgspec.json.encode(process))
                return msgspec.json.encode({**fields, "process": process_field}).decode()
        fields = {
            "time": iso(self._now_ms()),
            "level": _LEVELS[stream],
            "logger": "netscript_workers.supervisor",
            "message": line,
            "stream": stream,
            "process": process,
        }
        return msgspec.json.encode(fields).decode()
