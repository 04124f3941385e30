"""The way that our voice takes back to us, learnt as a filter, and what is heard without it.

A canceller like AEC3 silences what its own filter leaves of an echo, and much of a caller who speaks at that moment
with it: nothing then starts a voice activity, and a recogniser understands half. This one only subtracts. What it
leaves of an echo before it knows the way is still speech, and of the caller all is left: it is for whoever transcribes,
and from the moment at which it knows the way for voice activity too.

A frequency-domain Kalman filter in blocks: Enzner and Vary, "Frequency-domain adaptive Kalman filter for acoustic echo
control in hands-free telephones", Signal Processing 86 (2006); in partitions as Kuech, Mabande and Enzner, "State-space
architecture of the partitioned-block-based acoustic echo controller", ICASSP 2014. How much it learns from a block
follows from how uncertain it is and how loud the caller is, so two who speak at once do not confuse it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ("EchoPath",)

_Samples = NDArray[np.float32] | NDArray[np.float64]

LONGEST_MS = 600
"""An echo comes back within it, room included."""

_KEPT = 0.9995
"""Of the way from one frame to the next: in seconds it may become another."""

_UNCERTAIN = 0.1
"""What is expected of each 10 ms of the way before anything is known: squared gain."""

_SILENCE = 1e2
"""Of a bin: nothing divided by nothing teaches nothing."""

_SET_RIGHT = 8
"""The end of every eighth part of the filter wraps round to its beginning, and is taken off, in each frame."""

_AUDIBLE = 1e4
"""Mean square of an echo at -50 dBFS."""

_SLOWLY = 0.98
"""Half a second, or of what is measured once in 10 ms so much."""

_SOON = 0.9

_KNOWN = 50.0
"""17 dB of the echo are taken away, and"""
_FAINT = 3e4
"""what is left is at -45 dBFS: no voice to voice activity behind a noise suppressor."""

_CALLER = 10.0
"""What is left is at most 10 dB below the echo that was expected."""

_LOST = 1.25
"""What is subtracted makes it louder: the way is another."""


class EchoPath:
    """Frames of 16-bit PCM at one rate: what was to be heard, and what was heard in that time."""

    def __init__(self, frame_samples: int, rate_hz: int) -> None:
        parts = LONGEST_MS * rate_hz // 1000 // frame_samples
        self._size = frame_samples
        self._spoken = np.zeros(2 * frame_samples, np.float32)
        self._spectra = np.zeros((parts, frame_samples + 1), np.complex64)
        self._at = 0
        self.forget()

    @property
    def is_known(self) -> bool:
        """Whether what it leaves of an echo is no voice any more."""
        return self._is_known

    @property
    def hears_a_caller(self) -> bool:
        """Whether so much is left that it cannot be what it leaves of an echo, as far as it knows the way."""
        return self._is_known and self._left_now * _CALLER > self._echo_now

    def doubt(self) -> None:
        """An echo came through: it has to be shown again that none does."""
        self._is_known = False
        self._heard_power = self._left_power = 0.0

    def forget(self) -> None:
        """The way is another."""
        self._filter = np.zeros_like(self._spectra)
        self._variance = np.full(self._spectra.shape, _UNCERTAIN, np.float32)
        self._near: _Samples = np.zeros(self._spectra.shape[1], np.float32)
        self._heard_now = self._left_now = self._echo_now = 0.0
        self.doubt()

    def remember(self, played: bytes) -> None:
        """A frame that was to be heard earlier, when nobody asked: its echo may be still to come."""
        self._take(np.frombuffer(played, "<i2"))

    def without_echo(self, played: bytes, heard: bytes) -> bytes:
        """What is heard, less what is expected back of all that was played so far. No later than it came in."""
        microphone = np.frombuffer(heard, "<i2").astype(np.float32)
        self._take(np.frombuffer(played, "<i2"))
        echo = np.fft.irfft((self._filter * self._spectra).sum(axis=0))[self._size :]
        left = microphone - echo
        self._judge(microphone, echo, left)
        self._learn(left)
        return np.rint(left).clip(-32_768, 32_767).astype("<i2").tobytes()

    def _take(self, played: NDArray[np.int16]) -> None:
        self._spoken[: self._size] = self._spoken[self._size :]
        self._spoken[self._size :] = played
        self._spectra[1:] = self._spectra[:-1]
        self._spectra[0] = np.fft.rfft(self._spoken)

    def _learn(self, left: _Samples) -> None:
        error = np.fft.rfft(np.concatenate([np.zeros_like(left), left]))
        power = self._spectra.real**2 + self._spectra.imag**2
        self._near = 0.5 * self._near + 0.5 * (error.real**2 + error.imag**2)
        step = self._variance / ((self._variance * power).sum(axis=0) + 2 * self._near + _SILENCE)
        self._filter += step * self._spectra.conj() * error
        self._at = (self._at + 1) % _SET_RIGHT
        parts = np.fft.irfft(self._filter[self._at :: _SET_RIGHT], axis=1)
        parts[:, self._size :] = 0
        self._filter[self._at :: _SET_RIGHT] = np.fft.rfft(parts, axis=1)
        learnt = self._filter.real**2 + self._filter.imag**2
        self._variance = _KEPT**2 * (1 - 0.5 * step * power) * self._variance + (1 - _KEPT**2) * learnt

    def _judge(self, heard: _Samples, echo: _Samples, left: _Samples) -> None:
        """By the moments in which an echo is expected. A caller who speaks in them only makes it take longer."""
        before, after = float(np.dot(heard, heard)) / len(heard), float(np.dot(left, left)) / len(left)
        self._heard_now = _SOON * self._heard_now + (1 - _SOON) * before
        self._left_now = _SOON * self._left_now + (1 - _SOON) * after
        expected = float(np.dot(echo, echo)) / len(echo)
        self._echo_now = max(expected, _SOON * self._echo_now)
        if expected > _AUDIBLE:
            self._heard_power = _SLOWLY * self._heard_power + (1 - _SLOWLY) * before
            self._left_power = _SLOWLY * self._left_power + (1 - _SLOWLY) * after
            is_gone = self._heard_power > _KNOWN * self._left_power and self._left_power < _FAINT
            self._is_known = self._is_known or is_gone
        if self._left_now > max(_LOST * self._heard_now, _AUDIBLE):
            self.forget()
