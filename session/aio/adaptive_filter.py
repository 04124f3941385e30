"""A filter that learns by which way one sound becomes another: of its latest frames, so much of each.

A frequency-domain Kalman filter in blocks: Enzner and Vary, "Frequency-domain adaptive Kalman filter for acoustic echo
control in hands-free telephones", Signal Processing 86 (2006); in partitions as Kuech, Mabande and Enzner, "State-space
architecture of the partitioned-block-based acoustic echo controller", ICASSP 2014. How much it learns from a frame
follows from how uncertain it is and how loud everything else is, so two who speak at once do not confuse it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ("AdaptiveFilter", "Spectra")

Samples = NDArray[np.float32] | NDArray[np.float64]

_KEPT = 0.9995
"""Of the way from one frame to the next: in seconds it may become another."""

_SILENCE = 1e2
"""Of a bin: nothing divided by nothing teaches nothing."""

_SET_RIGHT = 8
"""The end of every eighth part of the filter wraps round to its beginning, and is taken off, in each frame."""


class Spectra:
    """Of a sound's latest frames, each together with the one before it."""

    def __init__(self, frame_samples: int, frames: int) -> None:
        self._size = frame_samples
        self._frames = frames
        self._sound = np.zeros(2 * frame_samples, np.float32)
        # The newest first, so that any stretch is one piece; at the end of the room the latest move.
        self._rows = np.zeros((2 * frames, frame_samples + 1), np.complex64)
        self._newest = frames

    def take(self, frame: NDArray[np.int16]) -> None:
        self._sound[: self._size] = self._sound[self._size :]
        self._sound[self._size :] = frame
        if self._newest == 0:
            self._newest = len(self._rows) - self._frames + 1
            self._rows[self._newest :] = self._rows[: self._frames - 1]
        self._newest -= 1
        self._rows[self._newest] = np.fft.rfft(self._sound)

    def back(self, frames: int, count: int) -> NDArray[np.complex64]:
        """From so many frames ago on, so many, the later ones first."""
        first = self._newest + frames
        return self._rows[first : first + count]


class AdaptiveFilter:
    """``uncertain``: what is expected of each frame's part in the sound before anything is known, as a squared gain."""

    def __init__(self, frame_samples: int, uncertain: NDArray[np.float32]) -> None:
        self._size = frame_samples
        self._gains = np.zeros((len(uncertain), frame_samples + 1), np.complex64)
        self._variance = np.repeat(uncertain[:, np.newaxis], frame_samples + 1, axis=1)
        self._near: Samples = np.zeros(frame_samples + 1, np.float32)
        self._at = 0

    @property
    def parts(self) -> int:
        return len(self._gains)

    def energies(self) -> NDArray[np.float32]:
        """Of each part, as far as it is learnt."""
        energies: NDArray[np.float32] = (self._gains.real**2 + self._gains.imag**2).sum(axis=1)
        return energies

    def expected(self, spectra: NDArray[np.complex64]) -> Samples:
        """What comes of that sound, in the time of its latest frame."""
        return np.fft.irfft((self._gains * spectra).sum(axis=0))[self._size :]

    def learn(self, spectra: NDArray[np.complex64], left: Samples) -> None:
        """``left`` of what was heard, without what was ``expected``."""
        error = np.fft.rfft(np.concatenate([np.zeros_like(left), left]))
        power = spectra.real**2 + spectra.imag**2
        self._near = 0.5 * self._near + 0.5 * (error.real**2 + error.imag**2)
        step = self._variance / ((self._variance * power).sum(axis=0) + 2 * self._near + _SILENCE)
        self._gains += step * spectra.conj() * error
        self._at = (self._at + 1) % _SET_RIGHT
        parts = np.fft.irfft(self._gains[self._at :: _SET_RIGHT], axis=1)
        parts[:, self._size :] = 0
        self._gains[self._at :: _SET_RIGHT] = np.fft.rfft(parts, axis=1)
        learnt = self._gains.real**2 + self._gains.imag**2
        self._variance = _KEPT**2 * (1 - 0.5 * step * power) * self._variance + (1 - _KEPT**2) * learnt
