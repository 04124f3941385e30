"""A growing stretch of audio, and where in it somebody speaks: for recognisers that must be given speech alone.

Loudness decides, relative to the loudest and the quietest of what was heard. It is a second look: whether anybody
speaks at all was decided by voice activity before the audio came here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ("FRAME_MS", "Span", "Utterance")

FRAME_MS = 20

_ABOVE_FLOOR_DB = 12.0
_BELOW_PEAK_DB = 30.0
_LEAST_DBFS = -70.0
_LEAST_SPREAD_DB = 8.0
"""A steady noise has peaks 3 dB above its floor; a single word has 20."""

_LEAST_FRAMES = 5
"""100 ms: less is a click, or a breath. The shortest "yes" and "no" of the recordings last 200."""

_GAP_FRAMES = 3
"""60 ms: between two words of somebody who does not pause there is no more, often less."""

_LEVELS_KEPT = 3000
"""A minute of levels, to know the floor and the peak by."""


@dataclass(frozen=True, slots=True)
class Span:
    """Frames of 20 ms since the stream began; ``end`` is the first after it, ``loud`` of them are speech."""

    start: int
    end: int
    loud: int = 0


class Utterance:
    """Audio, from where it was last dropped up to now. ``rate_hz`` is a multiple of 50."""

    def __init__(self, rate_hz: int) -> None:
        self._frame_bytes = rate_hz * FRAME_MS // 1000 * 2
        self._pcm = bytearray()
        self._levels: NDArray[np.float32] = np.zeros(0, np.float32)
        self.start = 0
        """The first frame that is still held."""
        self.end = 0
        """The first frame that is not complete yet."""

    def feed(self, pcm: bytes) -> None:
        self._pcm += pcm
        frames = len(self._pcm) // self._frame_bytes - (self.end - self.start)
        if not frames:
            return
        fresh = bytes(self._pcm[(self.end - self.start) * self._frame_bytes :][: frames * self._frame_bytes])
        samples = np.frombuffer(fresh, "<i2").reshape(frames, -1).astype(np.float32) / 32768
        levels = 10 * np.log10(np.mean(samples * samples, axis=1) + 1e-10)
        self._levels = np.concatenate([self._levels, levels])[-_LEVELS_KEPT:]
        self.end += frames

    @property
    def held_ms(self) -> int:
        return (self.end - self.start) * FRAME_MS

    def speech(self, before: int | None = None) -> Span | None:
        """From the first to the last loud frame that is held (``before`` a frame); None where there is no speech."""
        loud = np.flatnonzero(self._loud()[: None if before is None else before - self.start])
        if len(loud) < _LEAST_FRAMES:
            return None
        return Span(self.start + int(loud[0]), self.start + int(loud[-1]) + 1, len(loud))

    def pcm(self, span: Span) -> bytes:
        """What is held of it."""
        start, end = max(span.start, self.start), min(span.end, self.end)
        return bytes(self._pcm[(start - self.start) * self._frame_bytes : (end - self.start) * self._frame_bytes])

    def quietest(self, within: Span) -> int:
        """The middle of the longest pause; where there is none, of the quietest 60 ms."""
        levels = self._levels[-(self.end - self.start) :][within.start - self.start : within.end - self.start]
        quiet = np.concatenate([[0], (levels <= self._gate()).astype(np.int8), [0]])
        begins, ends = np.flatnonzero(np.diff(quiet) == 1), np.flatnonzero(np.diff(quiet) == -1)
        if len(begins) and (ends - begins).max() >= _LEAST_FRAMES:
            longest = int(np.argmax(ends - begins))
            return within.start + int(begins[longest] + ends[longest]) // 2
        loudness = np.convolve(10 ** (levels / 10), np.ones(_GAP_FRAMES), "valid")
        return within.start + int(np.argmin(loudness)) + _GAP_FRAMES // 2

    def drop(self, before: int) -> None:
        """Hold nothing from before this frame."""
        frames = min(max(0, before - self.start), self.end - self.start)
        del self._pcm[: frames * self._frame_bytes]
        self.start += frames

    def _loud(self) -> NDArray[np.bool_]:
        held = self.end - self.start
        return self._levels[len(self._levels) - held :] > self._gate()

    def _gate(self) -> float:
        """The level above which a frame is speech; infinity where nothing is."""
        levels = self._levels
        if len(levels) < _LEAST_FRAMES:
            return np.inf
        peak = float(np.partition(levels, -3)[-3])  # the third loudest: neither a click nor two
        floor = float(np.percentile(levels, 10))
        if peak <= _LEAST_DBFS or peak - floor < _LEAST_SPREAD_DB:
            return np.inf
        # Noise may leave less than 30 dB; speech without a pause has no floor to go by.
        return max(_LEAST_DBFS, peak - _BELOW_PEAK_DB, min(floor + _ABOVE_FLOOR_DB, peak - _ABOVE_FLOOR_DB))
