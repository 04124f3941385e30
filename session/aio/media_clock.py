"""The one clock that paces every session's output: no timer per session, and none at all while nobody speaks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from weakref import WeakKeyDictionary

from session.pacer import FRAME_MS

__all__ = ("MediaClock",)

SLOTS = 4
"""Sessions are spread over so many slots of the frame, so that a hundred of them do not hold the loop all at once."""

_clocks: WeakKeyDictionary[asyncio.AbstractEventLoop, MediaClock] = WeakKeyDictionary()


class MediaClock:
    """Calls each member once every 20 ms with the time in ms of the event loop's clock."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._slots: list[dict[Callable[[int], None], None]] = [{} for _ in range(SLOTS)]
        self._timer: asyncio.TimerHandle | None = None
        self._tick = 0

    @classmethod
    def of_running_loop(cls) -> MediaClock:
        loop = asyncio.get_running_loop()
        if loop not in _clocks:
            _clocks[loop] = cls(loop)
        return _clocks[loop]

    def add(self, member: Callable[[int], None]) -> None:
        """Start calling it; it must not raise. Adding twice is adding once."""
        if any(member in slot for slot in self._slots):
            return
        min(self._slots, key=len)[member] = None
        if self._timer is None:
            self._tick = int(self._loop.time() * 1000 * SLOTS / FRAME_MS) + 1
            self._arm()

    def remove(self, member: Callable[[int], None]) -> None:
        for slot in self._slots:
            slot.pop(member, None)

    def _arm(self) -> None:
        self._timer = self._loop.call_at(self._tick * FRAME_MS / SLOTS / 1000, self._run)

    def _run(self) -> None:
        now_ms = int(self._loop.time() * 1000)
        behind = now_ms * SLOTS // FRAME_MS - self._tick
        for slot in range(self._tick, self._tick + min(behind, SLOTS - 1) + 1):
            for member in list(self._slots[slot % SLOTS]):
                member(now_ms)
        self._tick += max(behind, 0) + 1
        if any(self._slots):
            self._arm()
        else:
            self._timer = None
