"""Memory that nobody uses any more goes back to the system.

glibc keeps what was freed for the next who asks, and what ten calls at once have left in pieces is seldom found again:
the process grows for as long as it runs, without anything being lost. Figures: ``bench/soak.py``.
"""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable
from typing import cast

__all__ = ("give_back",)

EVERY_S = 10.0


async def give_back() -> None:
    """One task for the whole process, until cancelled. Where there is no glibc it does nothing."""
    trim = _malloc_trim()
    while trim is not None:
        await asyncio.sleep(EVERY_S)
        await asyncio.to_thread(trim, 0)  # 0.5 to 5 ms


def _malloc_trim() -> Callable[[int], int] | None:
    """``malloc_trim(3)``: gives back all but so many bytes; 1 when there was something to give."""
    try:
        return cast("Callable[[int], int]", ctypes.CDLL(None).malloc_trim)
    except (AttributeError, OSError, TypeError):  # another C library, another system
        return None
