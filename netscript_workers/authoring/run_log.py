"""The logger of one attempt: its lines go to the execution's own log, not to Python's logging tree."""

import time
import traceback
from typing import Any, Final

from netscript_workers.authoring.text import bounded, safe_repr, safe_str
from netscript_workers.domain.execution import LogLine
from netscript_workers.ports.observer import RunObserver

_MAX_LINE_CHARS: Final = 16_384


class RunLog:
    """Writes log lines: `log.info("charged %s", order, amount=12)` becomes `charged A-1 amount=12`.

    Positional arguments fill the message as in Python's logging, keywords follow as `key=value`. Never raises
    for what it is given.
    """

    __slots__ = ("_observer",)

    def __init__(self, observer: RunObserver) -> None:
        self._observer = observer

    def debug(self, message: object, *args: object, **fields: object) -> None:
        """Write a line of level `debug`."""
        self._write("debug", message, args, fields)

    def info(self, message: object, *args: object, **fields: object) -> None:
        """Write a line of level `info`."""
        self._write("info", message, args, fields)

    def warning(self, message: object, *args: object, **fields: object) -> None:
        """Write a line of level `warning`."""
        self._write("warning", message, args, fields)

    def error(self, message: object, *args: object, **fields: object) -> None:
        """Write a line of level `error`."""
        self._write("error", message, args, fields)

    def critical(self, message: object, *args: object, **fields: object) -> None:
        """Write a line of level `critical`."""
        self._write("critical", message, args, fields)

    def exception(self, message: object, *args: object, **fields: object) -> None:
        """Write a line of level `error`, followed by the traceback of the exception that is being handled."""
        try:
            trace = traceback.format_exc().rstrip()
        except Exception:  # noqa: BLE001 - an exception class can break its own formatting in any way
            trace = "<the traceback could not be formatted>"
        self._write("error", message, args, fields, trace)

    def _write(
        self, level: str, message: object, args: tuple[object, ...], fields: dict[str, Any], trace: str = ""
    ) -> None:
        text = _fill(message, args)
        if fields:
            text = " ".join((text, *(f"{key}={_field(value)}" for key, value in fields.items())))
        if trace:
            text = f"{text}\n{trace}"
        now = time.time_ns() // 1_000_000
        lines = text.splitlines() or [""]
        self._observer.lines([LogLine(now, "log", level, bounded(line, _MAX_LINE_CHARS)) for line in lines])


def _fill(message: object, args: tuple[object, ...]) -> str:
    text = message if isinstance(message, str) else safe_str(message)
    if not args:
        return text
    try:
        # One mapping fills `%(name)s`, as in Python's logging.
        return text % (args[0] if len(args) == 1 and isinstance(args[0], dict) and args[0] else args)
    except Exception:  # noqa: BLE001 - a wrong format or a broken `__str__` must not fail the run
        return " ".join((text, *(safe_repr(argument) for argument in args)))


def _field(value: object) -> str:
    text = value if isinstance(value, str) else safe_str(value)
    return safe_repr(text) if not text or " " in text or "\n" in text or "=" in text else text
