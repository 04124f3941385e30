"""The end of the line: a gateway's buffer, and the loudspeaker of the caller's phone behind it.

Pure. ``play`` is called for every 20 ms in turn, and says what was heard in them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from providers.audio import BYTES_PER_SAMPLE
from session.pacer import FRAME_MS

__all__ = ("Played", "Playout")


@dataclass(frozen=True, slots=True)
class Played:
    """20 ms, silence where there was nothing to play; and the marks that were come to."""

    frame: bytes
    marks: tuple[str, ...]


class Playout:
    """Audio is signed 16-bit little-endian mono at ``rate_hz``. ``delay_ms``: how long audio waits before it is played,
    so that what comes late behind it still finds its place; whenever the buffer has run dry, again."""

    def __init__(self, rate_hz: int, delay_ms: int = 0) -> None:
        self._frame_bytes = rate_hz * FRAME_MS // 1000 * BYTES_PER_SAMPLE
        self._delay_frames = delay_ms // FRAME_MS
        self._waits_frames = 0
        self._buffer = bytearray()
        self._played_bytes = 0
        self._marks: deque[tuple[int, str]] = deque()  # how much has been played when it is come to
        self._is_paused = False

    @property
    def buffered_ms(self) -> int:
        return len(self._buffer) // self._frame_bytes * FRAME_MS

    def add(self, pcm: bytes) -> None:
        if not self._buffer:
            self._waits_frames = self._delay_frames
        self._buffer += pcm

    def mark(self, name: str) -> None:
        self._marks.append((self._played_bytes + len(self._buffer), name))

    def clear(self) -> tuple[str, ...]:
        """Drop what was not played; the marks in it."""
        dropped = tuple(name for _, name in self._marks)
        self._buffer.clear()
        self._marks.clear()
        return dropped

    def pause(self) -> None:
        self._is_paused = True

    def resume(self) -> None:
        self._is_paused = False

    def play(self) -> Played:
        if self._is_paused:
            return Played(bytes(self._frame_bytes), ())
        if self._waits_frames:
            self._waits_frames -= 1
            return Played(bytes(self._frame_bytes), ())
        frame = bytes(self._buffer[: self._frame_bytes])
        del self._buffer[: len(frame)]
        self._played_bytes += len(frame)
        marks = []
        while self._marks and self._marks[0][0] <= self._played_bytes:
            marks.append(self._marks.popleft()[1])
        return Played(frame.ljust(self._frame_bytes, b"\0"), tuple(marks))
