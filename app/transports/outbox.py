"""What waits to be written to one client: messages and audio, in order, bounded. No I/O, no clock of its own.

The policy: audio waits up to ``max_frames``, then the oldest goes first, because late audio is worth nothing. Messages
are never dropped; a client that lets too many pile up, or takes nothing for too long, has ``stalled``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ("MAX_PENDING_BYTES", "Outbox")

MAX_PENDING_BYTES = 1 << 20

Message = TypeVar("Message")


class Outbox(Generic[Message]):
    """``bytes`` is a frame of audio, anything else a message, of ``size_bytes``. Times are seconds of a clock that does
    not go back."""

    def __init__(self, *, max_frames: int, stalled_after_s: float, size_bytes: Callable[[Message], int]) -> None:
        self.dropped_frames = 0
        self.stalled = False
        self._items: deque[Message | bytes] = deque()
        self._max_frames = max_frames
        self._size_bytes = size_bytes
        self._frames = 0
        self._message_bytes = 0
        self._stalled_after_s = stalled_after_s
        self._writing_since_s: float | None = None

    def __len__(self) -> int:
        return len(self._items)

    def put_message(self, message: Message, now_s: float) -> None:
        self._items.append(message)
        self._message_bytes += self._size_bytes(message)
        self._watch(now_s)
        if self._message_bytes > MAX_PENDING_BYTES:
            self.stalled = True

    def put_audio(self, frame: bytes, now_s: float) -> None:
        self._items.append(frame)
        self._frames += 1
        self._watch(now_s)
        if self._frames > self._max_frames:
            oldest = next(index for index, item in enumerate(self._items) if isinstance(item, bytes))
            del self._items[oldest]
            self._frames -= 1
            self.dropped_frames += 1

    def clear_audio(self) -> None:
        if self._frames:
            self._items = deque(item for item in self._items if not isinstance(item, bytes))
            self._frames = 0

    def take(self, now_s: float) -> Message | bytes | None:
        """The next to be written, or None. ``done`` follows when it has been."""
        if not self._items:
            return None
        item = self._items.popleft()
        if isinstance(item, bytes):
            self._frames -= 1
        else:
            self._message_bytes -= self._size_bytes(item)
        self._writing_since_s = now_s
        return item

    def done(self) -> None:
        self._writing_since_s = None

    def _watch(self, now_s: float) -> None:
        """Looked at when something is put: while nothing is, nobody is hurt by a client that does not read."""
        if self._writing_since_s is not None and now_s - self._writing_since_s > self._stalled_after_s:
            self.stalled = True
