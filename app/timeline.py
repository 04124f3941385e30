"""What came out of the speaker, on the clock of the conversation: a player without a loudspeaker.

Audio that arrives is played when it arrives or, when something is still playing, right after it. Time is an argument,
in milliseconds from the start of the conversation.
"""

from __future__ import annotations

__all__ = ("Timeline",)

_BYTES_PER_SAMPLE = 2

_JITTER_MS = 100
"""Audio that comes this much too late is joined to what was played before it: a frame of a running reply that the
network held up is no silence."""


class Timeline:
    """Signed 16-bit little-endian mono at ``rate_hz``; where nothing was played there is silence."""

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self._played = bytearray()
        self._held: bytes | None = None

    @property
    def end_ms(self) -> int:
        """When the last of what was handed over has been played."""
        return len(self._played) // _BYTES_PER_SAMPLE * 1000 // self.rate_hz

    def add(self, pcm: bytes, at_ms: int) -> None:
        if self._held is not None:
            self._held += pcm
            return
        if at_ms > self.end_ms + _JITTER_MS:
            self._played += bytes(self._offset(at_ms) - len(self._played))
        self._played += pcm

    def clear(self, at_ms: int) -> None:
        """Drop what was not played yet."""
        self._cut(at_ms)
        self._held = None

    def pause(self, at_ms: int) -> None:
        """Hold what was not played yet, and what comes."""
        if self._held is None:
            self._held = self._cut(at_ms)

    def resume(self, at_ms: int) -> None:
        """Go on with what was held."""
        held, self._held = self._held, None
        if held:
            self.add(held, at_ms)

    def audio(self, *, compact: bool = False) -> bytes:
        """The whole of it, or with ``compact`` without the silence before the first sound and between replies."""
        return _without_gaps(self._played, self.rate_hz) if compact else bytes(self._played)

    def _offset(self, at_ms: int) -> int:
        return at_ms * self.rate_hz // 1000 * _BYTES_PER_SAMPLE

    def _cut(self, at_ms: int) -> bytes:
        at = self._offset(at_ms)
        cut = bytes(self._played[at:])
        del self._played[at:]
        return cut


def _without_gaps(pcm: bytearray, rate_hz: int) -> bytes:
    """Digital silence longer than half a second is cut to half a second; at the start it goes altogether."""
    frame = rate_hz // 50 * _BYTES_PER_SAMPLE
    kept = bytearray()
    silent_frames = 50
    for at in range(0, len(pcm), frame):
        piece = pcm[at : at + frame]
        silent_frames = 0 if any(piece) else silent_frames + 1
        if silent_frames <= 25:
            kept += piece
    return bytes(kept)
