"""Marks in a reply's audio: a listener who plays late, from a buffer of its own, tells when it came to one.

Pure. Between two marks the clock tells how far the listener is, later by as much as the last marks were; it does not
go past a mark that is still awaited. One that does not come back within its limit is given up, and where several in a
row did not, the clock alone is believed until one does.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

__all__ = ("LATE_MS", "Marks")

LATE_MS = 2_000
"""A mark that is later than this, past the usual delay, is lost. An engine waits longer for a playout to move."""

REMEMBERED = 4
"""Delays: the least of them counts, for a mark may be held up on its way back, and sound is not played sooner."""

TRUSTED_LOSSES = 3
"""Marks lost in a row, after which none is waited for."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """``due_ms``: when a listener without any delay comes to it."""

    number: int
    samples: int
    due_ms: int


class Marks:
    """Numbers go up and are never used again, so that a mark of another reply is known as such. Positions are samples
    of the reply. ``come_back``: whether this listener sends marks back; else none is awaited."""

    def __init__(self, *, come_back: bool) -> None:
        self.reached_samples = 0
        self._come_back = come_back
        self._last = 0
        self._awaited: deque[_Mark] = deque()
        self._given_up: deque[_Mark] = deque(maxlen=REMEMBERED)
        self._delays_ms: deque[int] = deque(maxlen=REMEMBERED)
        self._lost = 0

    @property
    def delay_ms(self) -> int:
        """How much later than by the clock the listener hears; 0 as long as no mark has come back."""
        return min(self._delays_ms, default=0)

    @property
    def are_awaited(self) -> bool:
        return bool(self._awaited)

    @property
    def next_samples(self) -> int | None:
        """The position that the listener has not passed, for its mark has not come back; None where nothing tells."""
        return self._awaited[0].samples if self._awaited and self._lost < TRUSTED_LOSSES else None

    def set(self, samples: int, due_ms: int) -> int:
        """Behind so many samples. Its number."""
        self._last += 1
        if self._come_back:
            self._awaited.append(_Mark(self._last, samples, due_ms))
        return self._last

    def reached(self, number: int, now_ms: int) -> None:
        """The listener came to it, and so to those before it. One that nobody waits for changes nothing."""
        for marks in (self._given_up, self._awaited):
            if marks and marks[0].number <= number <= marks[-1].number:
                while (mark := marks.popleft()).number < number:
                    pass
                self.reached_samples = max(self.reached_samples, mark.samples)
                self._delays_ms.append(max(0, now_ms - mark.due_ms))
                self._lost = 0

    def give_up(self, now_ms: int) -> None:
        """Wait no longer for what is too late by now."""
        while self._awaited and now_ms > self._awaited[0].due_ms + self.delay_ms + LATE_MS:
            self._given_up.append(self._awaited.popleft())
            self._lost += 1

    def postpone(self, by_ms: int) -> None:
        """The listener stood still for so long."""
        self._awaited = deque(_Mark(mark.number, mark.samples, mark.due_ms + by_ms) for mark in self._awaited)

    def forget(self) -> None:
        """What was sent is dropped: no mark in it counts any more. How late the listener is stays known."""
        self._awaited.clear()
        self._given_up.clear()
        self.reached_samples = 0
