"""Telling systemd how this process is: the datagrams of sd_notify(3), without its library."""

import logging
import os
import socket
import sys
from collections.abc import MutableMapping
from typing import Final

SOCKET_VARIABLE: Final = "NOTIFY_SOCKET"
WATCHDOG_VARIABLE: Final = "WATCHDOG_USEC"
WATCHDOG_PID_VARIABLE: Final = "WATCHDOG_PID"

log = logging.getLogger("netscript_workers.daemon")


class ServiceManager:
    """The socket that `NOTIFY_SOCKET` names. A message that cannot be sent is said in the log, once, and the daemon goes on."""

    def __init__(self, address: str, watchdog_s: float | None = None) -> None:
        """Take the address as systemd writes it: `@` begins an abstract one. Without a sign of life it waits `watchdog_s`."""
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._has_failed = False
        self.watchdog_s = watchdog_s

    def send(self, *fields: str) -> None:
        """Send `NAME=value` fields in one message, without waiting."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.setblocking(False)  # noqa: FBT003 - the standard library's own signature
                out.sendto("\n".join(fields).encode(), self._address)
        except OSError as error:
            if not self._has_failed:
                self._has_failed = True
                log.warning(
                    "systemd cannot be told how this daemon is (%s: %s); it goes on",
                    SOCKET_VARIABLE,
                    error.strerror,
                )


def take_service_manager(environ: MutableMapping[str, str]) -> ServiceManager | None:
    """Return whom `environ` says to notify, and take the variables out of it: no child may speak for this process."""
    address = environ.pop(SOCKET_VARIABLE, "")
    period = environ.pop(WATCHDOG_VARIABLE, "")
    pid = environ.pop(WATCHDOG_PID_VARIABLE, "")
    if not address or sys.platform == "win32":
        return None
    if not address.startswith(("/", "@")):
        log.warning("%s=%s is no Unix socket; systemd is not notified", SOCKET_VARIABLE, address)
        return None
    is_for_us = not pid or pid == str(os.getpid())
    watchdog_s = int(period) / 1_000_000 if period.isdecimal() and int(period) and is_for_us else None
    return ServiceManager(address, watchdog_s)
