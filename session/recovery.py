"""What to do about a provider that failed: try again after a while, or give up. Pure policy.

Whether a request may be made again at all (only while nothing of the turn was heard) is for whoever made it to know.
"""

from __future__ import annotations

from session.config import SessionConfig
from session.events import Failed

__all__ = ("retry_delay_ms",)

GROWTH = 1.5
LONGEST_DELAY_MS = 10_000


def retry_delay_ms(config: SessionConfig, failed: Failed, *, tries: int, left_ms: int) -> int | None:
    """How long to wait before the next try; None to give up.

    ``tries`` counts those made so far, from 1; ``left_ms`` is what remains of the time that they have together. Each
    delay is 1.5 times the one before, 10 s at most, and spread by full jitter: anything from nothing to that delay.
    """
    if not failed.retryable or tries > config.max_retries:
        return None
    longest_ms = min(config.retry_delay_ms * GROWTH ** (tries - 1), LONGEST_DELAY_MS)
    delay_ms = round(longest_ms * min(max(failed.jitter, 0.0), 1.0))
    return delay_ms if delay_ms < left_ms else None
