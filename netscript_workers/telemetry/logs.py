"""The daemon's own log: for people on a terminal, JSON lines otherwise; always on standard error.

A record that belongs to a run carries `run` (execution, target, attempt) in its extra fields, and a line that a handler
printed also `stream`.
"""

import json
import logging
import os
import sys
from typing import Final, TextIO

from netscript_workers.domain.wire import iso

ROOT: Final = "netscript_workers"
_COLOURS: Final = {"DEBUG": "2", "INFO": "32", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}


class JsonLines(logging.Formatter):
    """One JSON object a line: `time`, `level`, `logger`, `message`, a run's fields, `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        """Write `record` as one line."""
        fields: dict[str, object] = {
            "time": iso(int(record.created * 1000)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields.update(_run_of(record))
        stream = getattr(record, "stream", None)
        if stream is not None:
            fields["stream"] = stream
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False, default=str)


class HumanLines(logging.Formatter):
    """Time, level, message, and the run's target, short execution id and attempt; in colour where that is wanted."""

    def __init__(self, *, colour: bool) -> None:
        """Write with escape codes when `colour`."""
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """Write `record`, with its traceback on lines of its own."""
        time = self.formatTime(record, "%H:%M:%S")
        level = f"{record.levelname:<8}"
        run = _run_of(record)
        where = f"[{run['target']} {run['execution']} #{run['attempt']}] " if run else ""
        if self._colour:
            level = f"\x1b[{_COLOURS.get(record.levelname, '0')}m{level}\x1b[0m"
            time, where = f"\x1b[2m{time}\x1b[0m", f"\x1b[36m{where}\x1b[0m" if where else ""
        text = f"{time}.{int(record.msecs):03d} {level} {where}{record.getMessage()}"
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        return text


def set_up(level: str, style: str, stream: TextIO | None = None) -> "logging.StreamHandler[TextIO]":
    """Let this package's loggers write to `stream` (standard error) and return the handler, for `take_down`.

    `level` is a logging name in any case. `style` is `auto` (text on a terminal, JSON otherwise), `text` or `json`.
    Loggers of other packages stay as they are, except that warnings and errors of asyncio come here too.
    """
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    adjust(handler, level, style)
    root = logging.getLogger(ROOT)
    root.propagate = False
    root.addHandler(handler)
    logging.getLogger("asyncio").addHandler(handler)
    return handler


def adjust(handler: "logging.StreamHandler[TextIO]", level: str, style: str) -> None:
    """Log from `level` on, in `style`, from now on; both as for `set_up`, which returned `handler`."""
    on_terminal = handler.stream.isatty()
    if style == "json" or (style == "auto" and not on_terminal):
        handler.setFormatter(JsonLines())
    else:
        handler.setFormatter(HumanLines(colour=on_terminal and not os.environ.get("NO_COLOR")))
    logging.getLogger(ROOT).setLevel(level.upper())


def take_down(handler: logging.Handler) -> None:
    """Undo `set_up`."""
    root = logging.getLogger(ROOT)
    root.removeHandler(handler)
    root.propagate = True
    logging.getLogger("asyncio").removeHandler(handler)
    handler.flush()


def _run_of(record: logging.LogRecord) -> dict[str, object]:
    run = getattr(record, "run", None)
    return run or {}
