"""Rate conversion of a running signal: a windowed-sinc filter with one set of coefficients per phase.

Of our own, because a stream must come out as evenly as it went in. libsoxr's stream (1.0) filters in large blocks: fed
with 20 ms frames of 8 kHz it gives nothing for 120 ms and then bursts of 108 ms (HQ and MQ; LQ: 60 ms), which every
caller would wait for. This one holds back 32 samples of the lower rate (4 ms at 8 kHz, 2 ms at 16 kHz, 1.5 ms at
22.05 kHz) and answers each frame with a frame. A 20 ms frame costs 13 to 25 µs between rates of a whole ratio, 40 to
70 µs from 22.05 kHz (``bench/models.py``).
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ("Resampler",)

_Samples = NDArray[np.float32]

_LOBES = 32
"""Zero crossings of the sinc on each side: what is held back, in samples of the lower rate."""

_FEW_PHASES = 3

_PIECE = 4096
"""Input samples filtered at once: bounds the memory that a long piece takes."""

_ATTENUATION_DB = 70.0
"""Of aliases and images. The transition band then takes the last 14 % below the lower Nyquist frequency: telephone
audio, which ends at 3.4 kHz of 4, passes whole."""


class Resampler:
    """Converts signed 16-bit little-endian mono from one rate to another, in pieces of any length.

    The output is aligned with the input (its first sample is the input's first instant) and the pieces joined do not
    depend on how the input was cut. Equal rates pass through untouched.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        """:raises ValueError: unless both rates are positive."""
        if from_hz <= 0 or to_hz <= 0:
            raise ValueError(f"cannot convert {from_hz} Hz to {to_hz} Hz")
        common = math.gcd(from_hz, to_hz)
        self.from_hz = from_hz
        self.to_hz = to_hz
        self._up = to_hz // common
        self._down = from_hz // common
        self._phases = _phases(self._up, self._down)
        self._half = self._phases.shape[1] // 2
        self.reset()

    @property
    def delay_ms(self) -> float:
        """How much of the input is held back until more comes, or ``last``."""
        return 0.0 if self._up == self._down else self._half * 1000 / self.from_hz

    def reset(self) -> None:
        """Forget the signal so far: the next piece begins a new one."""
        self._kept: _Samples = np.zeros(self._half - 1, np.float32)
        self._at = 0  # where the next output lies, in 1/up of an input sample from the start of its window

    def process(self, pcm: bytes, *, last: bool = False) -> bytes:
        """Convert the next piece, of whole samples. ``last`` gives what was held back too, and begins anew.

        A signal of ``n`` samples comes out as ``n * to_hz / from_hz`` samples, rounded up.
        """
        if self._up == self._down:
            return pcm
        samples = np.frombuffer(pcm, "<i2")
        pieces = [samples[at : at + _PIECE] for at in range(0, len(samples), _PIECE)]
        converted = [self._convert(piece.astype(np.float32)) for piece in pieces]
        if last:
            converted.append(self._convert(np.zeros(self._half, np.float32)))
            self.reset()
        return b"".join(converted)

    def _convert(self, fresh: _Samples) -> bytes:
        signal = np.concatenate([self._kept, fresh])
        windows = len(signal) - 2 * self._half + 1
        count = max(0, -(-(windows * self._up - self._at) // self._down))
        ends_at = self._at + count * self._down
        levels = self._filter(signal, ends_at) if count else np.zeros(0, np.float32)
        used = ends_at // self._up
        self._kept = signal[used:]
        self._at = ends_at - used * self._up
        return np.rint(levels).clip(-32768, 32767).astype("<i2").tobytes()

    def _filter(self, signal: _Samples, ends_at: int) -> _Samples:
        if self._up <= _FEW_PHASES:
            # Whole ratios, the common case: every position of every phase, of which each ``down``-th is wanted.
            grid = np.stack([np.correlate(signal, row, "valid") for row in self._phases], axis=1).ravel()
            return grid[self._at : ends_at : self._down]
        positions = np.arange(self._at, ends_at, self._down)
        windows = np.lib.stride_tricks.sliding_window_view(signal, 2 * self._half)
        levels: _Samples = np.einsum("ij,ij->i", windows[positions // self._up], self._phases[positions % self._up])
        return levels


@cache
def _phases(up: int, down: int) -> _Samples:
    """One row of coefficients for each of the ``up`` positions of an output sample between two input samples."""
    ratio = max(1.0, down / up)  # input samples to one of the lower rate
    half = math.ceil(_LOBES * ratio)
    transition = (_ATTENUATION_DB - 7.95) / (14.36 * 2 * _LOBES)  # of the lower rate; Kaiser's formula
    cutoff = (1.0 - transition) / ratio  # of the input's Nyquist frequency; the stop band begins at the lower one
    beta = 0.1102 * (_ATTENUATION_DB - 8.7)
    offsets = np.arange(1 - half, half + 1)[None, :] - np.arange(up)[:, None] / up
    window = np.i0(beta * np.sqrt(np.clip(1 - (offsets / half) ** 2, 0, None))) / np.i0(beta)
    rows = np.sinc(offsets * cutoff) * window
    rows /= rows.sum(axis=1, keepdims=True)  # every phase has the same gain: a constant stays a constant
    return rows.astype(np.float32)
