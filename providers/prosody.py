"""Does the voice end as a finished statement does? Its pitch falls and its last 100 ms fade.

Where a statement is interrupted the pitch has not come down yet, and the voice stops in the middle of its level. That
is weak evidence, found on synthetic voices and checked on recorded people by ``bench.turns``: it holds back a full stop
that the words make believe, and never more than that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ("AUDIO_MS", "Ending", "ending", "unfinished")

AUDIO_MS = 3_000
"""So much is looked at: enough to know the speaker's usual pitch."""

# Fitted by ``bench.turns``: what is usual, the weights, and the evidence that four of five true ends have.
PITCH_MEAN_ST, PITCH_SPREAD_ST = -1.13, 1.55
LEVEL_MEAN_DB, LEVEL_SPREAD_DB = -10.4, 7.7
PITCH_WEIGHT, LEVEL_WEIGHT = -0.72, -0.54
ENOUGH = -0.03
GAIN = 3.0
"""From no doubt to much within one log-odd of evidence."""

_RATE_HZ = 8_000  # telephone band: what is above tells no more
_HOP = _RATE_HZ // 100
_WINDOW = 4 * _HOP
_FFT = 512
_LONGEST_LAG, _SHORTEST_LAG = _RATE_HZ // 70, _RATE_HZ // 420
_CLEAR_DB = 20.0
_SPEECH_DB = 25.0
_FEWEST_FRAMES = 8
_END_FRAMES = 50
_LAST_FRAMES = 10

Frames = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ending:
    """``pitch_st``: the last half second against the median, in semitones; ``level_db``: the last 100 ms likewise."""

    pitch_st: float
    level_db: float


def unfinished(end: Ending) -> float:
    """The log-odds that the voice takes from a statement: 0 where it ends as statements do."""
    pitch = _within((end.pitch_st - PITCH_MEAN_ST) / PITCH_SPREAD_ST)
    level = _within((end.level_db - LEVEL_MEAN_DB) / LEVEL_SPREAD_DB)
    return GAIN * max(0.0, ENOUGH - PITCH_WEIGHT * pitch - LEVEL_WEIGHT * level)


def _within(spreads: float) -> float:
    """An outlier is more likely a wrong measurement."""
    return min(max(spreads, -2.5), 2.5)


def ending(pcm: bytes) -> Ending | None:
    """How the last word in ``pcm`` (16 kHz, 16 bit, mono) ends; None when too little is heard, or too much noise.

    Silence after the word does not matter. Costs 3 ms of CPU.
    """
    samples = np.frombuffer(pcm[-AUDIO_MS * 32 :][: len(pcm) & ~1], np.int16).astype(np.float64)
    halved = (samples[0 : len(samples) // 2 * 2 : 2] + samples[1::2][: len(samples) // 2]) / 2
    if len(halved) < _WINDOW:
        return None
    frames = np.lib.stride_tricks.sliding_window_view(halved, _WINDOW)[::_HOP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    levels = 10 * np.log10((frames[:, _WINDOW // 2 - _HOP // 2 : _WINDOW // 2 + _HOP // 2] ** 2).mean(axis=1) + 1)
    peak, floor = np.percentile(levels, (95, 2))
    loud = levels > max(peak - _SPEECH_DB, floor + 8)
    if peak - floor < _CLEAR_DB or np.count_nonzero(loud) < _FEWEST_FRAMES:
        return None
    pitch, voiced = _pitch(frames, loud)
    if np.count_nonzero(voiced) < _FEWEST_FRAMES:
        return None
    end = int(np.flatnonzero(loud)[-1]) + 1
    at = np.flatnonzero(voiced)
    late = at[at >= end - _END_FRAMES]
    late = late if len(late) >= 3 else at[-6:]
    first = max(int(np.flatnonzero(loud)[0]), end - _LAST_FRAMES)
    return Ending(
        pitch_st=float(pitch[late].mean() - np.median(pitch[at])),
        level_db=float(levels[first:end].mean() - np.median(levels[at])),
    )


def _pitch(frames: Frames, loud: NDArray[np.bool_]) -> tuple[Frames, NDArray[np.bool_]]:
    """The pitch of each frame in semitones, and where there is one: by autocorrelation, within 9 st of the median."""
    spectrum = np.fft.rfft(frames * _HANN, _FFT)
    power = spectrum.real**2 + spectrum.imag**2
    lagged = np.fft.irfft(power)[:, : _LONGEST_LAG + 2]
    likeness = lagged / (lagged[:, :1] + 1e-9) / _HANN_LIKENESS
    near = likeness[:, _SHORTEST_LAG - 1 :] - _COST_OF_LAG
    here = near[:, 1:-1]
    peaks = np.where((here >= near[:, :-2]) & (here >= near[:, 2:]), here, -1.0)
    voiced = loud & (peaks.max(axis=1) > 0.5)
    if not voiced.any():
        return np.zeros(len(frames)), voiced
    usual = np.median(_SEMITONES[peaks[voiced].argmax(axis=1)])
    peaks = np.where(np.abs(_SEMITONES - usual) < 9, peaks, -1.0)
    return _SEMITONES[peaks.argmax(axis=1)], loud & (peaks.max(axis=1) > 0.45)


_LAGS = np.arange(_SHORTEST_LAG, _LONGEST_LAG + 1)
_SEMITONES: Frames = 12 * np.log2(_RATE_HZ / _LAGS / 100)
_HANN: Frames = np.hanning(_WINDOW + 2)[1:-1]
_HANN_LIKENESS: Frames = np.fft.irfft(np.abs(np.fft.rfft(_HANN, _FFT)) ** 2)[: _LONGEST_LAG + 2] / (_HANN**2).sum()
_COST_OF_LAG: Frames = 0.02 * np.log2(np.arange(_SHORTEST_LAG - 1, _LONGEST_LAG + 2) / _SHORTEST_LAG)
