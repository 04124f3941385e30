"""Keys of a telephone, heard as tones in the caller's audio: DTMF for gateways that do not tell of it themselves.

A digit is two tones at once, ITU-T Q.23. What counts as one is from ITU-T Q.24: each tone within 1.5 % of its
frequency, the higher one at most 4 dB above and 8 dB below the lower, 40 ms of them, and a pause of 40 ms before the
next. A voice is told from them by what else there is in it: two tones must be nearly all that is heard, and the higher
has no overtone.

Of our own, because the two packages there are for Python work on whole recordings, and one of them is GPL.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from providers.audio import BYTES_PER_SAMPLE

__all__ = ("InbandDtmf",)

_Samples = NDArray[np.floating[Any]]

_LOW_HZ = (697, 770, 852, 941)
_HIGH_HZ = (1_209, 1_336, 1_477, 1_633)
_DIGITS = ("123A", "456B", "789C", "*0#D")

_OFF = (-0.012, 0.0, 0.012)
"""Each tone is looked for at its frequency and beside it: a window of 24 ms is narrower than the tolerance."""

_WINDOW_MS = 24
_STEP_MS = 8

_LEAST_DBFS = -42.0
"""Of both tones together."""

_TWIST_DB = (-9.0, 5.0)
"""The higher tone against the lower; 1 dB more than required, for the noise."""

_SHARE = 0.75
"""Of all that is heard, the two tones. So much of a window they must also fill: at least 18 ms of it."""

_OVERTONES = 0.03
"""Of the tones' energy, that of the higher one's second harmonic: a key has none, a voice has. The lower one's would
stand beside the higher tones themselves."""

_HITS = 3
"""Windows one after another. Fewer than 34 ms of tones do not make them, 40 ms do."""

_MISSES = 3
"""Windows without: 32 ms of pause make them, a drop-out of 5 ms does not."""


class InbandDtmf:
    """Signed 16-bit little-endian mono at ``rate_hz``, of which no tone is taken away.

    At 8 kHz 20 ms cost 30 µs (two cores shared with other work). :raises ValueError: below 8 kHz, which the overtones
    need.
    """

    def __init__(self, rate_hz: int) -> None:
        if rate_hz < 8_000:
            raise ValueError(f"DTMF needs audio at 8000 Hz or more, not {rate_hz}")
        self._window = _WINDOW_MS * rate_hz // 1000
        self._step = _STEP_MS * rate_hz // 1000
        tones = [hz * (1 + off) for hz in (*_LOW_HZ, *_HIGH_HZ) for off in _OFF]
        overtones = [2.0 * hz for hz in _HIGH_HZ]
        angles = np.outer(np.arange(self._window), [*tones, *overtones]) * (2 * np.pi / rate_hz)
        # As many real columns of cosines as of sines: a Goertzel filter for each, as one product of matrices.
        self._filters = np.hstack([np.cos(angles), np.sin(angles)]).astype(np.float32)
        self._waiting = bytearray()
        self._candidate = ""
        self._hits = 0
        self._misses = 0
        self._pressed = ""

    def feed(self, pcm: bytes) -> list[str]:
        """The next audio, of any length. Returns the digits (``0`` to ``9``, ``*``, ``#``, ``A`` to ``D``) that became
        certain with it, each once, some 40 ms after it was pressed."""
        self._waiting += pcm
        samples = np.frombuffer(bytes(self._waiting[: len(self._waiting) & ~1]), "<i2").astype(np.float32) / 32_768
        count = (len(samples) - self._window) // self._step + 1
        if count <= 0:
            return []
        windows = np.lib.stride_tricks.sliding_window_view(samples, self._window)[:: self._step]
        del self._waiting[: count * self._step * BYTES_PER_SAMPLE]
        return [digit for key in self._keys(windows) if (digit := self._next(key))]

    def _keys(self, windows: _Samples) -> list[str]:
        """What each window sounds like; nothing where it is no digit."""
        both = windows @ self._filters
        half = both.shape[1] // 2
        # Of a tone that fills the window this is its power.
        power = (both[:, :half] ** 2 + both[:, half:] ** 2) * (2 / self._window**2)
        tones = power[:, : -len(_HIGH_HZ)].reshape(len(windows), -1, len(_OFF)).max(axis=2)
        total = np.einsum("ij,ij->i", windows, windows) / self._window
        overtones = power[:, -len(_HIGH_HZ) :]
        return [_key(*each) for each in zip(tones, overtones, total.tolist(), strict=True)]

    def _next(self, key: str) -> str:
        """The digit that becomes certain with this window."""
        self._hits = self._hits + 1 if key == self._candidate else 1
        self._candidate = key
        self._misses = 0 if key == self._pressed else self._misses + 1
        if self._misses >= _MISSES:
            self._pressed = ""
        if not key or self._hits < _HITS or key == self._pressed:
            return ""
        self._pressed, self._misses = key, 0
        return key


def _key(tones: _Samples, overtones: _Samples, total: float) -> str:
    low, high = int(tones[:4].argmax()), int(tones[4:].argmax())
    lower, higher = float(tones[low]), float(tones[4 + high])
    both = lower + higher
    if 10 * np.log10(total + 1e-12) < _LEAST_DBFS or both < _SHARE * total or not lower or not higher:
        return ""
    if not _TWIST_DB[0] <= 10 * np.log10(higher / lower) <= _TWIST_DB[1]:
        return ""
    if float(overtones[high]) > _OVERTONES * both:
        return ""
    return _DIGITS[low][high]
