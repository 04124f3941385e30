"""What a caller's packets sound like: decoded, at the session's rate, losses concealed, silence where none was sent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.transports.webrtc.voice import CLOCK_HZ, FRAME_TICKS, OpusDecoder, Received
from providers.resample import Resampler

__all__ = ("QUIET_MS", "Hearing")

QUIET_MS = 100
"""A sender from whom nothing came for so long is silent (it may send nothing in pauses), or out of reach."""

_FADES = (1.0, 0.5, 0.0)
"""How loud a concealment is where its frames meet: 40 ms, since a longer one is heard as a tone of its own."""

_JOIN_SAMPLES = CLOCK_HZ * 5 // 1000
_LONGEST_PAUSE_TICKS = 60 * CLOCK_HZ
_TICKS_PER_MS = CLOCK_HZ // 1000


class Hearing:
    """One caller. Times are milliseconds of a clock that does not go back; PCM is at `rate_hz`."""

    def __init__(self, rate_hz: int) -> None:
        self.lost = 0
        self.heard_ms: int | None = None
        """When a packet last came; none has while it is `None`."""
        self._decoder = OpusDecoder()
        self._resampler = Resampler(CLOCK_HZ, rate_hz)
        self._next_ticks = 0
        self._frame_ticks = FRAME_TICKS
        self._filled_ticks = 0
        self._last: NDArray[np.int16] = np.zeros(FRAME_TICKS, np.int16)
        self._concealed = 0

    def hear(self, received: Received, now_ms: int) -> bytes:
        """The packet's audio, after the silence that its sender left before it."""
        if received.payload is None:
            self.lost += 1
            self._next_ticks += self._frame_ticks
            return self._resampler.process(self._conceal())
        self.lost += received.missed
        silence = b"" if self.heard_ms is None else bytes(2 * self._pause_before(received.timestamp))
        self.heard_ms, self._filled_ticks = now_ms, 0
        samples = np.frombuffer(self._decoder.decode(received.payload), np.int16)
        if self._concealed:
            samples = self._join(samples)
        if len(samples):
            self._last, self._frame_ticks = samples, len(samples)
        self._next_ticks = received.timestamp + len(samples)
        return self._resampler.process(silence + samples.tobytes())

    def wait(self, now_ms: int) -> bytes:
        """Silence for the time in which nothing came, once that is `QUIET_MS`."""
        if self.heard_ms is None:
            return b""
        quiet_ms = now_ms - self.heard_ms
        missing = quiet_ms * _TICKS_PER_MS - self._filled_ticks
        if quiet_ms < QUIET_MS or missing < FRAME_TICKS:
            return b""
        missing = min(missing - missing % FRAME_TICKS, CLOCK_HZ)
        self._filled_ticks += missing
        return self._resampler.process(bytes(2 * missing))

    def _pause_before(self, timestamp: int) -> int:
        """Samples. What was filled up already was heard already."""
        gap = (timestamp - self._next_ticks) & 0xFFFFFFFF
        if gap > _LONGEST_PAUSE_TICKS:
            return 0  # the sender began anew
        return min(max(0, gap - self._filled_ticks), QUIET_MS * _TICKS_PER_MS)

    def _conceal(self) -> bytes:
        """The last frame backwards, then forwards: no step where they meet, and a fade."""
        index = min(self._concealed, len(_FADES) - 2)
        over = self._concealed > index
        self._last = self._last[::-1]
        self._concealed += 1
        if over:
            return bytes(2 * len(self._last))
        fade = np.linspace(_FADES[index], _FADES[index + 1], len(self._last), dtype=np.float32)
        return (self._last * fade).astype(np.int16).tobytes()

    def _join(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """Fade over from how the concealment would have gone on."""
        level = _FADES[min(self._concealed, len(_FADES) - 1)]
        self._concealed = 0
        count = min(_JOIN_SAMPLES, len(samples), len(self._last))
        rise = np.linspace(0.0, 1.0, count, dtype=np.float32)
        joined = samples.copy()
        joined[:count] = samples[:count] * rise + self._last[::-1][:count] * ((1.0 - rise) * level)
        return joined
