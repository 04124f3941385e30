"""The way that our voice takes back to us, learnt as a filter, and what is heard without it.

A canceller like AEC3 silences what its own filter leaves of an echo, and much of a caller who speaks at that moment
with it: nothing then starts a voice activity, and a recogniser understands half. This one only subtracts. What it
leaves of an echo before it knows the way is still speech, and of the caller all is left: it is for whoever transcribes,
and from the moment at which it knows the way for voice activity too, as long as a caller is heard.

It is in a hurry, because callers interrupt in the first seconds. A filter as long as an echo may be late learns in
seconds, and tells in tenths of one how late this echo is; a short one around that place, which learns from each of the
latest frames several times, learns the rest in half a second.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from session.aio.adaptive_filter import AdaptiveFilter, Samples, Spectra

__all__ = ("LONGEST_MS", "EchoPath")

LONGEST_MS = 600
"""An echo comes back within it, room included."""

_ANYWHERE = 0.1
"""What is expected of each 10 ms of the way before anything is known: squared gain."""

_AROUND = np.array([0.05, 0.1, 0.5, 0.5, *(0.5 * np.exp(-np.arange(14) / 2.5))], np.float32)
"""Likewise once the loudest 10 ms of it are known, which are the third here: the first sound, then a room."""

_BEFORE = 2

_LOUDEST = 0.2
"""So much of what the long filter has learnt is in one of its parts,"""
_STEADY_FRAMES = 5
"""and in the same, while an echo is heard: there it is. In 10 of 10 trials of each delay it was."""

_RECENT_FRAMES = 100
_AGAIN = 4
"""Of the latest second so many frames are learnt from once more in each frame,"""
_AGAIN_FRAMES = 150
"""for so long: then all that is in them is learnt, and a caller who speaks meanwhile would be learnt too."""
_STRIDE = 37

_HOPELESS_FRAMES = 200
"""Two seconds of what is heard, of which never half was taken away: the echo is somewhere else."""

_AUDIBLE = 1e4
"""Mean square of an echo at -50 dBFS."""

_SLOWLY = 0.95
"""A fifth of a second, or of what is measured once in 10 ms so much."""

_SOON = 0.9

_KNOWN = 20.0
"""13 dB of the echo are taken away, and"""
_FAINT = 3e5
"""what is left is at -35 dBFS: where it is not loud beside the echo, no voice at all is given to voice activity."""

_PROVEN_FRAMES = 500
"""Of an echo, over which the way was known. If it is another then,"""
_PROOF_FRAMES = 250
"""so many more prove the new one: a canceller takes as long to find it, too."""

_CALLER = 10.0
"""What is left is at most 10 dB below the echo that was expected."""

_LOST = 1.25
"""What is subtracted makes it louder, where it had made it fainter: the way is another."""


class EchoPath:
    """Frames of 16-bit PCM at one rate: what was to be heard, and what was heard in that time."""

    def __init__(self, frame_samples: int, rate_hz: int) -> None:
        self._size = frame_samples
        self._longest = LONGEST_MS * rate_hz // 1000 // frame_samples
        self._spoken = Spectra(frame_samples, self._longest + _RECENT_FRAMES)
        self._recent: deque[NDArray[np.float32]] = deque(maxlen=_RECENT_FRAMES)
        self._known_frames = self._on_proof_frames = 0
        self.forget()

    @property
    def is_known(self) -> bool:
        """Whether what it leaves of an echo is no voice any more."""
        return self._known_frames > 0

    @property
    def is_trusted(self) -> bool:
        """Whether it is known, and if it was another before, that is some time ago."""
        return self.is_known and not self._on_proof_frames

    @property
    def has_helped(self) -> bool:
        """Whether it took away half of what was heard at some moment: an echo, as far as one can tell so soon."""
        return self._has_helped

    @property
    def hears_a_caller(self) -> bool:
        """Whether so much is left that it cannot be what it leaves of an echo, as far as it knows the way."""
        return self.is_known and self._left_now * _CALLER > self._echo_now

    def doubt(self) -> None:
        """An echo came through: it has to be shown again that none does."""
        if self._known_frames >= _PROVEN_FRAMES:
            self._on_proof_frames = _PROOF_FRAMES
        self._known_frames = 0
        self._heard_power = self._left_power = 0.0
        self._again_frames = _AGAIN_FRAMES

    def forget(self) -> None:
        """The way is another."""
        self._begins: int | None = None
        self._filter = AdaptiveFilter(self._size, np.full(self._longest, _ANYWHERE, np.float32))
        self._loudest = self._steady_frames = 0
        self._tried_frames, self._has_helped = 0, False
        self._heard_now = self._left_now = self._echo_now = 0.0
        self._recent.clear()
        self.doubt()

    def remember(self, played: bytes) -> None:
        """A frame that was to be heard earlier, when nobody asked: its echo may be still to come."""
        self._spoken.take(np.frombuffer(played, "<i2"))

    def without_echo(self, played: bytes, heard: bytes) -> bytes:
        """What is heard, less what is expected back of all that was played so far. No later than it came in."""
        microphone = np.frombuffer(heard, "<i2").astype(np.float32)
        self._spoken.take(np.frombuffer(played, "<i2"))
        spoken = self._spoken_until(0)
        echo = self._filter.expected(spoken)
        left = microphone - echo
        self._filter.learn(spoken, left)
        self._recent.appendleft(microphone)
        if not self.is_known:
            self._look_for_it(echo)
            if self._begins is not None:
                self._learn_again()
        self._judge(microphone, echo, left)
        if self._left_now > self._heard_now:
            return heard  # what it takes for an echo is none
        return np.rint(left).clip(-32_768, 32_767).astype("<i2").tobytes()

    def _spoken_until(self, frames_ago: int) -> NDArray[np.complex64]:
        return self._spoken.back(frames_ago + (self._begins or 0), self._filter.parts)

    def _look_for_it(self, echo: Samples) -> None:
        """And once more in what is found, as long as that is not known well."""
        energies = self._filter.energies()
        pairs = energies[:-1] + energies[1:]  # a sound does not end with a frame
        loudest, before = int(pairs.argmax()), self._loudest
        self._loudest = loudest
        if abs(loudest - before) > 1 or pairs[loudest] <= _LOUDEST * energies.sum():
            self._steady_frames = 0
        elif _power(echo) > _AUDIBLE:
            self._steady_frames += 1
        if self._steady_frames < _STEADY_FRAMES:
            return
        self._steady_frames = 0
        begins = max(0, min((self._begins or 0) + loudest - _BEFORE, self._longest - len(_AROUND)))
        if self._begins is None or abs(begins - self._begins) > 1:
            self._begins, self._loudest = begins, _BEFORE
            self._filter = AdaptiveFilter(self._size, _AROUND)
            self._again_frames = _AGAIN_FRAMES

    def _learn_again(self) -> None:
        if not self._again_frames:
            return
        self._again_frames -= 1
        for number in range(_AGAIN):
            frames_ago = (self._again_frames * _AGAIN + number) * _STRIDE % len(self._recent)
            spoken, microphone = self._spoken_until(frames_ago), self._recent[frames_ago]
            if _power(microphone) > _AUDIBLE:
                self._filter.learn(spoken, microphone - self._filter.expected(spoken))

    def _judge(self, heard: Samples, echo: Samples, left: Samples) -> None:
        """By the moments in which an echo is expected. A caller who speaks in them only makes it take longer."""
        before, after, expected = _power(heard), _power(left), _power(echo)
        self._heard_now = _SOON * self._heard_now + (1 - _SOON) * before
        self._left_now = _SOON * self._left_now + (1 - _SOON) * after
        self._echo_now = max(expected, _SOON * self._echo_now)
        if expected > _AUDIBLE:
            self._heard_power = _SLOWLY * self._heard_power + (1 - _SLOWLY) * before
            self._left_power = _SLOWLY * self._left_power + (1 - _SLOWLY) * after
            is_gone = self._heard_power > _KNOWN * self._left_power and self._left_power < _FAINT
            if self.is_known or is_gone:
                self._known_frames += 1
                self._on_proof_frames = max(0, self._on_proof_frames - 1)
        if self._heard_now > _AUDIBLE:
            self._has_helped = self._has_helped or self._heard_now > 2 * self._left_now
            if self._is_lost() or self._gives_up():
                self.forget()

    def _is_lost(self) -> bool:
        return self._has_helped and self._left_now > _LOST * self._heard_now

    def _gives_up(self) -> bool:
        """To be asked once for each frame that is heard: it counts them."""
        if self.is_known or self._begins is None:
            return False
        self._tried_frames += 1
        if self._tried_frames < _HOPELESS_FRAMES:
            return False
        has_helped, self._has_helped, self._tried_frames = self._has_helped, False, 0
        return not has_helped


def _power(samples: Samples) -> float:
    return float(np.dot(samples, samples)) / len(samples)
