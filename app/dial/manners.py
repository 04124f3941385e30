"""When a caller who cannot understand begins to talk, and when there is nothing more to wait for.

Pure. ``heard_ms``: when the agent was last heard, None as long as it was not.
"""

from __future__ import annotations

__all__ = ("is_over", "may_speak")

GREETING_WITHIN_MS = 3_000
"""An agent that has not begun by then has no greeting."""

GREETING_AT_MOST_MS = 15_000
"""Whoever talks on for longer is talked into."""

BREATH_MS = 800
"""Of silence: the agent is not between two sentences."""

SETTLED_MS = 3_000
"""Of silence after an answer: none follows."""


def may_speak(now_ms: int, heard_ms: int | None) -> bool:
    """Whether the greeting is over, or there is none."""
    if heard_ms is None:
        return now_ms >= GREETING_WITHIN_MS
    return now_ms - heard_ms >= BREATH_MS or now_ms >= GREETING_AT_MOST_MS


def is_over(now_ms: int, heard_ms: int | None, said_all_ms: int, wait_ms: int) -> bool:
    """Whether what was said until ``said_all_ms`` was answered, or no answer began within ``wait_ms``."""
    if heard_ms is None or heard_ms <= said_all_ms:
        return now_ms - said_all_ms >= wait_ms
    return now_ms - heard_ms >= SETTLED_MS
