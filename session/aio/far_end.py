"""What a session said, by the time at which its listener was to hear it: the reference of an echo canceller."""

from __future__ import annotations

from providers.audio import BYTES_PER_SAMPLE
from providers.resample import Resampler
from session.pacer import FRAME_MS

__all__ = ("FarEnd",)

KEPT_MS = 2_500
"""As much as the caller's audio may wait, and what is sent ahead; the oldest goes first."""


class FarEnd:
    """Positions are samples at ``rate_hz`` since the clock's zero."""

    def __init__(self, from_hz: int, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._resampler = Resampler(from_hz, rate_hz)
        self._pcm = bytearray()
        self._start = 0
        self._next_ms: int | None = None
        self._kept_bytes = KEPT_MS * rate_hz // 1000 * BYTES_PER_SAMPLE

    @property
    def end(self) -> int:
        """Nothing was said from here on; 0 before anything was."""
        return self._start + len(self._pcm) // BYTES_PER_SAMPLE

    def sent(self, frame: bytes, due_ms: int) -> None:
        """The next 20 ms, to be heard from ``due_ms`` on."""
        if due_ms != self._next_ms:
            self._pcm += self._resampler.process(b"", last=True)
            self._go_to(due_ms * self._rate_hz // 1000)
        self._pcm += self._resampler.process(frame)
        self._next_ms = due_ms + FRAME_MS
        self._drop(len(self._pcm) - self._kept_bytes)

    def cut(self, now_ms: int) -> None:
        """What was to be heard later is not heard."""
        left = max(0, now_ms * self._rate_hz // 1000 - self._start)
        del self._pcm[left * BYTES_PER_SAMPLE :]
        self._resampler.reset()
        self._next_ms = None

    def at(self, position: int, samples: int) -> bytes:
        """So many samples from ``position`` on; silence where nothing was said, or it is forgotten."""
        before = min(samples, max(0, self._start - position))
        first = max(0, position - self._start) * BYTES_PER_SAMPLE
        said = self._pcm[first : first + (samples - before) * BYTES_PER_SAMPLE]
        return (bytes(before * BYTES_PER_SAMPLE) + said).ljust(samples * BYTES_PER_SAMPLE, b"\0")

    def _go_to(self, position: int) -> None:
        gap_bytes = (position - self.end) * BYTES_PER_SAMPLE
        if gap_bytes >= self._kept_bytes:
            self._pcm.clear()
            self._start = position
        elif gap_bytes >= 0:
            self._pcm += bytes(gap_bytes)
        else:
            del self._pcm[max(0, len(self._pcm) + gap_bytes) :]

    def _drop(self, too_many_bytes: int) -> None:
        if too_many_bytes > 0:
            del self._pcm[:too_many_bytes]
            self._start += too_many_bytes // BYTES_PER_SAMPLE
