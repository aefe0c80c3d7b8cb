"""Which limit ended a run is told where that can be known, and only there."""

import signal

import pytest

from netscript_workers.domain.outcome import Cause, Outcome, Usage, crashed, failed
from netscript_workers.domain.target import Limits
from netscript_workers.runners.limit_words import with_limit_told

MIB = 1 << 20
LIMITS = Limits(memory=100 * MIB, cpu_seconds=2)
REFUSED = "was refused memory under its limits.memory of 104857600 bytes (it failed"
TRACEBACK = "Traceback (most recent call last):\n  File …\n"


def exception(last: str) -> Outcome:
    return failed(f"it failed: {TRACEBACK}{last}", Cause.EXCEPTION)


@pytest.mark.parametrize(
    ("outcome", "errors"),
    [
        (exception("MemoryError"), []),
        (
            exception("numpy._core._exceptions._ArrayMemoryError: Unable to allocate 1 GiB for an array"),
            [],
        ),
        (exception("OSError: [Errno 12] Cannot allocate memory"), []),
        (failed("it failed: exit status 1"), ["MemoryError"]),
        (
            crashed("it failed", -signal.SIGABRT),
            ["terminate called after throwing an instance of 'std::bad_alloc'"],
        ),
        (crashed("it failed", -signal.SIGABRT), ["memory allocation of 1073741824 bytes failed"]),
        (crashed("it failed", -signal.SIGTRAP), ["# Fatal JavaScript invalid size error: out of memory"]),
    ],
)
def test_memory_that_was_refused_is_told_with_its_limit(outcome, errors):
    told = with_limit_told(outcome, LIMITS, errors)
    assert told.error.startswith(REFUSED)
    assert (told.kind, told.cause, told.exit_code) == (outcome.kind, outcome.cause, outcome.exit_code)
    assert with_limit_told(outcome, Limits(cpu_seconds=2), errors) == outcome


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_sudden_end_close_to_the_limit_is_told_as_what_it_is(number):
    near = crashed("it failed", -number, Usage(95 * MIB, 100))
    assert with_limit_told(near, LIMITS).error == (
        "had come close to its limits.memory of 104857600 bytes (it failed)"
    )
    far = crashed("it failed", -number, Usage(20 * MIB, 100))
    assert with_limit_told(far, LIMITS) == far


def test_processor_time_that_was_used_up_comes_before_memory():
    outcome = crashed("it failed", -signal.SIGKILL, Usage(99 * MIB, 2_000))
    assert with_limit_told(outcome, LIMITS).error.startswith("used up its limits.cpu_seconds of 2")


@pytest.mark.parametrize(
    "outcome",
    [
        exception("ValueError: no MemoryError here"),
        failed("it failed: exit status 1"),
        exception("torch.Error: CUDA out of memory"),
        crashed("out of memory: the slot held 9 MiB, more than 2 times max_slot_memory_mb", -signal.SIGKILL),
        crashed("it failed", -signal.SIGTERM, Usage(99 * MIB, 100)),
    ],
)
def test_what_is_no_want_of_memory_is_left_as_it_is(outcome):
    assert with_limit_told(outcome, LIMITS, ["a line"]) == outcome
