"""A caller's loudness, evened out for whoever transcribes: of one far from the microphone, and of one who shouts.

It is learnt from windows that are speech to voice activity, and from nothing else, so no noise is raised until it
sounds like somebody; and it is learnt before the first word is handed over, since that waits for the onset to be sure.
Voice activity itself hears the audio as it is. Whoever speaks neither faintly nor too loudly is left as they are.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ("Loudness",)

FAINT_DBFS = -30.0
"""Speech fainter than this is raised to it."""

LOUD_DBFS = -10.0
"""Speech louder than this, which is clipped at its peaks, is lowered to it."""

MOST_DB = 30.0
"""What is fainter still has little left of it: a telephone's codes are 40 dB apart from its noise."""

SPEECH = 0.5
"""Of voice activity's probability."""

_LOUDER = 0.25
_FAINTER = 0.03
"""Of the way to the next window's level: a word is louder than its end, and the pause after it is no speech."""

_FULL_SCALE = np.float32(32_767)

_ROUND = np.float32(0.7)
"""Of full scale: peaks above it are rounded off, and none is cut."""


class Loudness:
    def __init__(self) -> None:
        self._speech_dbfs: float | None = None
        self._factor = 1.0

    @property
    def gain_db(self) -> float:
        """What it takes from the loudness so far to one that is heard well."""
        if self._speech_dbfs is None:
            return 0.0
        wanted = min(max(self._speech_dbfs, FAINT_DBFS), LOUD_DBFS)
        return min(MOST_DB, wanted - self._speech_dbfs)

    def hear(self, window: bytes, probability: float) -> None:
        """The next window of the caller's, and how likely it is speech."""
        if probability < SPEECH:
            return
        samples = np.frombuffer(window, "<i2").astype(np.float32)
        energy = float(np.dot(samples, samples))
        if not energy:
            return
        dbfs = 10 * math.log10(energy / len(samples) / 2**30)
        if self._speech_dbfs is None:
            self._speech_dbfs = dbfs
        share = _LOUDER if dbfs > self._speech_dbfs else _FAINTER
        self._speech_dbfs += share * (dbfs - self._speech_dbfs)

    def even(self, pcm: bytes, *, begins: bool = False) -> bytes:
        """With that gain. It comes bit by bit, unless a stretch ``begins`` that follows on nothing."""
        before, self._factor = self._factor, 10 ** (self.gain_db / 20)
        if begins:
            before = self._factor
        if before == self._factor == 1.0:
            return pcm
        samples = np.frombuffer(pcm, "<i2").astype(np.float32)
        step = np.float32((self._factor - before) / len(samples))
        samples *= np.arange(len(samples), dtype=np.float32) * step + np.float32(before)
        if max(samples.max(), -samples.min()) > _ROUND * _FULL_SCALE:
            samples = _FULL_SCALE * _rounded(samples / _FULL_SCALE)
        return np.rint(samples).astype("<i2").tobytes()


def _rounded(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    over = np.abs(samples) - _ROUND
    peaks = np.sign(samples) * (_ROUND + (1 - _ROUND) * np.tanh(over / (1 - _ROUND)))
    return np.where(over > 0, peaks, samples)
