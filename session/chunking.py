"""Where the audio of an utterance is cut, for a recogniser that takes one recording at a time.

A chunk ends with a pause, as soon as it holds ``Chunking.size``. Who makes no pause is cut in the quietest moment, and
there the next chunk begins ``Chunking.overlap`` earlier, in a quiet moment too. No recogniser makes anything of a
quarter of a second, and no two texts can be joined by a syllable: so without a pause nothing shorter than 5 s is cut,
and the overlap is at least a second, at most a quarter of the longest chunk.
"""

from __future__ import annotations

from dataclasses import dataclass

from providers.audio import BYTES_PER_SAMPLE, level_dbfs
from session.config import Chunking

__all__ = ("Chunk", "Cutter")

FRAME_MS = 20
LEAST_LIMIT_MS = 5_000
LEAST_OVERLAP_MS = 1_000
PAUSE_FRAMES = 300 // FRAME_MS
KEPT_SILENCE_FRAMES = 400 // FRAME_MS

BELOW_PEAK_DB = 30.0
SILENCE_DBFS = -60.0

QUIET_FRAMES = 5
"""The quietest 100 ms are sought."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """``start`` and ``speech_end``: frames of 20 ms since the utterance began, the first and the one after the last
    in which somebody speaks. ``overlap_ms`` of it were in the chunk before; 0 after a pause."""

    pcm: bytes
    start: int
    speech_end: int
    overlap_ms: int = 0


class Cutter:
    """Holds the chunk that is still open: at most 5 s, or ``size`` where that is more."""

    def __init__(self, rules: Chunking, rate_hz: int) -> None:
        self._frame_bytes = rate_hz * FRAME_MS // 1000 * BYTES_PER_SAMPLE
        limit_frames = max(rules.size // self._frame_bytes, LEAST_LIMIT_MS // FRAME_MS)
        self._limit_frames = limit_frames
        self._least_frames = min(rules.size // self._frame_bytes, limit_frames // 2)
        least_overlap_frames = max(rules.overlap // self._frame_bytes, LEAST_OVERLAP_MS // FRAME_MS)
        self._overlap_frames = min(least_overlap_frames, limit_frames // 4)
        self._pcm = bytearray()
        self._levels: list[float] = []
        self._peak_dbfs = SILENCE_DBFS
        self._start = 0
        self._overlap_ms = 0

    @property
    def held_bytes(self) -> int:
        return len(self._pcm)

    @property
    def open(self) -> Chunk | None:
        """What was said since the last chunk; None where that is nothing."""
        last = self._last_loud(len(self._levels))
        return None if last is None else self._chunk(len(self._pcm), last)

    def feed(self, pcm: bytes) -> list[Chunk]:
        """The chunks that are complete with it, in order."""
        chunks: list[Chunk] = []
        for at in range(0, len(pcm), self._frame_bytes):  # a frame at a time, however much comes at once
            self._pcm += pcm[at : at + self._frame_bytes]
            while len(self._pcm) >= (len(self._levels) + 1) * self._frame_bytes:
                begin = len(self._levels) * self._frame_bytes
                self._levels.append(level_dbfs(bytes(self._pcm[begin : begin + self._frame_bytes])))
                self._peak_dbfs = max(self._peak_dbfs, self._levels[-1])
                if (chunk := self._close()) is not None:
                    chunks.append(chunk)
        return chunks

    def _close(self) -> Chunk | None:
        frames = len(self._levels)
        last = self._last_loud(frames)
        if last is None:
            if frames > 2 * KEPT_SILENCE_FRAMES:
                self._drop(frames - KEPT_SILENCE_FRAMES, 0)
            return None
        if frames >= self._least_frames and frames - 1 - last >= PAUSE_FRAMES:
            return self._cut(frames - PAUSE_FRAMES // 2, overlap_frames=0)
        if frames >= self._limit_frames:
            cut = self._quietest(frames // 2, frames)
            resume = self._quietest(cut - self._overlap_frames * 3 // 2, cut - self._overlap_frames)
            return self._cut(cut, overlap_frames=cut - resume)
        return None

    def _cut(self, frame: int, *, overlap_frames: int) -> Chunk:
        chunk = self._chunk(frame * self._frame_bytes, self._last_loud(frame) or 0)
        self._drop(frame - overlap_frames, overlap_frames * FRAME_MS)
        return chunk

    def _chunk(self, end_bytes: int, last_loud: int) -> Chunk:
        whole = end_bytes // BYTES_PER_SAMPLE * BYTES_PER_SAMPLE
        return Chunk(bytes(self._pcm[:whole]), self._start, self._start + last_loud + 1, self._overlap_ms)

    def _drop(self, frames: int, overlap_ms: int) -> None:
        del self._pcm[: frames * self._frame_bytes]
        del self._levels[:frames]
        self._start += frames
        self._overlap_ms = overlap_ms

    def _last_loud(self, before: int) -> int | None:
        gate_dbfs = max(SILENCE_DBFS, self._peak_dbfs - BELOW_PEAK_DB)
        return next((frame for frame in range(before - 1, -1, -1) if self._levels[frame] > gate_dbfs), None)

    def _quietest(self, start: int, end: int) -> int:
        """The middle of the quietest 100 ms between two frames."""
        powers = [10 ** (level / 10) for level in self._levels[start:end]]
        sums = [sum(powers[at : at + QUIET_FRAMES]) for at in range(max(1, len(powers) - QUIET_FRAMES + 1))]
        return start + sums.index(min(sums)) + QUIET_FRAMES // 2
