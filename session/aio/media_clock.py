"""The one clock that paces every session's output: no timer per session, and none at all while nobody speaks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from weakref import WeakKeyDictionary

from session.pacer import FRAME_MS

__all__ = ("MediaClock",)

logger = logging.getLogger(__name__)

SLOTS = 4
"""Sessions are spread over so many slots of the frame, so that a hundred of them do not hold the loop all at once."""

_clocks: WeakKeyDictionary[asyncio.AbstractEventLoop, MediaClock] = WeakKeyDictionary()


class MediaClock:
    """Calls each member once every 20 ms with the time in ms of the event loop's clock."""

    def __init__(self) -> None:
        self._slots: list[dict[Callable[[int], None], None]] = [{} for _ in range(SLOTS)]
        self._timer: asyncio.TimerHandle | None = None
        self._tick = 0

    @classmethod
    def of_running_loop(cls) -> MediaClock:
        loop = asyncio.get_running_loop()
        if loop not in _clocks:
            _clocks[loop] = cls()
        return _clocks[loop]

    def add(self, member: Callable[[int], None]) -> None:
        """Start calling it. Adding twice is adding once; one that raises is called no more."""
        if any(member in slot for slot in self._slots):
            return
        min(self._slots, key=len)[member] = None
        if self._timer is None:
            self._tick = _now_ms() * SLOTS // FRAME_MS + 1
            self._arm()

    def remove(self, member: Callable[[int], None]) -> None:
        for slot in self._slots:
            slot.pop(member, None)

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_at(self._tick * FRAME_MS / SLOTS / 1000, self._run)

    def _run(self) -> None:
        now_ms = _now_ms()
        # A timer may fire a moment early; its slot is called all the same.
        behind = max(0, now_ms * SLOTS // FRAME_MS - self._tick)
        for slot in range(self._tick, self._tick + min(behind, SLOTS - 1) + 1):
            for member in list(self._slots[slot % SLOTS]):
                try:
                    member(now_ms)
                except Exception:  # a transport is somebody else's code: one call's must not silence the others
                    logger.exception("what is paced raised, and is paced no more")
                    self.remove(member)
        self._tick += behind + 1
        if any(self._slots):
            self._arm()
        else:
            self._timer = None


def _now_ms() -> int:
    return int(asyncio.get_running_loop().time() * 1000)
