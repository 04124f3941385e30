"""What to do about a provider that failed: try again after a while, or give up. Pure policy."""

from __future__ import annotations

__all__ = ("retry_delay_ms",)

GROWTH = 1.5
LONGEST_DELAY_MS = 10_000


def retry_delay_ms(
    *, attempt: int, max_retries: int, first_delay_ms: int, retryable: bool, jitter: float
) -> int | None:
    """How long to wait before the next try; None to give up.

    ``attempt`` counts the tries made so far, from 1. Each delay is 1.5 times the one before, 10 s at most, and spread
    by full jitter: anything from nothing to that delay, by ``jitter`` from 0 to 1.
    """
    if not retryable or attempt > max_retries:
        return None
    delay_ms = min(first_delay_ms * GROWTH ** (attempt - 1), LONGEST_DELAY_MS)
    return round(delay_ms * min(max(jitter, 0.0), 1.0))
