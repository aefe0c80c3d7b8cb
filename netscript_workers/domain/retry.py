"""When a failed attempt is tried again."""

from typing import Final

import msgspec

from netscript_workers.domain.target import Backoff, Target

MAX_RETRY_DELAY_MS: Final = 24 * 60 * 60 * 1000


class RetryPolicy(msgspec.Struct, frozen=True):
    """How often and how late: `max_attempts` in all, `delay_ms` before the second, growing by `backoff`."""

    max_attempts: int = 1
    delay_ms: int = 1_000
    backoff: Backoff = Backoff.FIXED


def policy_of(target: Target) -> RetryPolicy:
    """Read the policy off a target."""
    return RetryPolicy(target.max_attempts, target.retry_delay, target.backoff)


def retry_delay_ms(policy: RetryPolicy, attempt: int) -> int:
    """Return the delay after the failed attempt number `attempt` (from 1), at most 24 hours.

    Fixed: always `delay_ms`. Exponential: `delay_ms`, twice that, four times that, and so on. There is no jitter, so that
    `workers validate --explain` can state the worst case exactly.
    """
    if policy.backoff is Backoff.FIXED:
        return min(policy.delay_ms, MAX_RETRY_DELAY_MS)
    doublings = min(attempt - 1, 60)
    return min(policy.delay_ms << doublings, MAX_RETRY_DELAY_MS)
