"""What the slots are doing, in the log (SIGUSR1)."""

import logging
from collections.abc import Sequence

from netscript_workers.ports.runner import SlotReport

log = logging.getLogger("netscript_workers.daemon")


def say_slots(slots: Sequence[SlotReport]) -> None:
    """Write a line for each slot."""
    log.info("%d slots", len(slots))
    for slot in slots:
        what = (
            f"runs {slot.target} ({slot.execution_id}) for {slot.busy_ms / 1000:.1f} s"
            if slot.execution_id
            else "idle"
        )
        memory = f", {slot.memory / 1_048_576:.1f} MB" if slot.memory is not None else ""
        log.info("slot %s, process %d: %s%s", slot.mode, slot.pid, what, memory)
