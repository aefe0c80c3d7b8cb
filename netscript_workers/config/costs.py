"""What a slot costs in memory, by mode: the figures behind the plan of `workers validate --explain`.

Measured (proportional set size, Linux 6.18, Python 3.11) with a small job module; `workers bench` measures them on your
machine. What a handler itself allocates comes on top, in every mode.
"""

from typing import Final

from netscript_workers.domain.target import ConfinedMode, Mode, RunnerMode

_MIB: Final = 1 << 20

DAEMON_BYTES: Final = (
    46 * _MIB
)  # with the small process that slots are forked from; 32 without it (in-process)
SOURCE_BYTES: Final = (
    15 * _MIB
)  # what slots of jobs with permissions are forked from, for each set of variables
SLOT_BYTES: Final[dict[Mode, int]] = {
    RunnerMode.IN_PROCESS: 1 * _MIB,  # a task of the event loop, or a thread with its stack
    RunnerMode.WEB_WORKER: 3 * _MIB,  # a process that shares most pages with the one it was forked from
    RunnerMode.SUBPROCESS: 3 * _MIB,  # the same, for as long as the run lasts
    ConfinedMode.LIMITED: 3 * _MIB,
    ConfinedMode.CONFINED: 6 * _MIB,  # with its watcher and the init of its rooms
}
TASK_BYTES: Final = 60 * _MIB  # a small deno program; other runtimes start below that
QUEUE_FILE_CONNECTIONS: Final = 2  # one writes, one reads
AMQP_CONNECTIONS: Final = 2  # one publishes, one consumes
REDIS_CONNECTIONS: Final = 9  # eight for commands at the most, one to listen
BASIS: Final = "measured with a small job module; what handlers allocate comes on top"
BOUNDED_BASIS: Final = "max_slot_memory_mb for warm slots, else measured with a small job module"
