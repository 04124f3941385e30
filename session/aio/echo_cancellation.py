"""Our own voice, taken out of what the caller's microphone returns of it.

The canceller is given, with each frame of the caller's, what they were to hear in that time. How much later it comes
back, through the network, their loudspeaker and their room, is for the canceller to find out.

Two things are made of it. What the canceller leaves is for voice activity: nothing of an echo, and at times nothing of
a caller. What ``EchoPath`` leaves is for whoever transcribes: all of a caller, and as much of the echo as it does not
know yet; once it knows enough, voice activity is given the same wherever more is left than an echo would leave.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from providers.api import EchoCanceller, EchoStream, NoiseStream, VadStream
from providers.audio import BYTES_PER_SAMPLE
from providers.resample import Resampler
from session.aio.echo_path import EchoPath
from session.aio.far_end import FarEnd
from session.aio.likeness import ALIKE, HEARD_MS, LONGEST_DELAY_MS, likeness
from session.line_echo import LONGEST_MS, LineEcho

__all__ = ("Clean", "EchoCancellation", "close_stream")

_Source = Literal["untouched", "cancelled", "subtracted"]

logger = logging.getLogger(__name__)

TAIL_MS = 1_000
"""An echo that comes later than this after the last sound is none that a canceller finds."""

WATCHED_MS = 1_000
"""Audio that comes late may only have been held up. When all of it did for so long, the caller's clock is behind."""

SLACK_MS = 20
"""Not worth a jump of the reference, after which a canceller has to find the echo anew; less than any echo's delay."""

GAP_MS = 300
"""Audio as late as this follows on a pause in the stream (muted, resumed)."""


OURS_AGAIN = 3
"""Windows in a row that are our voice: the way is not what ``EchoPath`` took it for. One may be by chance: of callers
over an echo that was subtracted 7 of 10 were caught within 500 ms where one was enough, and 9 of 10 where it takes
three."""


_QUIET = 1e4
"""Mean square of a sound at -50 dBFS, as ``LineEcho`` has it."""


@dataclass(frozen=True, slots=True)
class Clean:
    """The same stretch of audio twice, and of equal length."""

    speech: bytes
    """For whoever transcribes."""
    voice: bytes
    """For voice activity."""


class EchoCancellation:
    """Between ``sent`` and ``clean``, which share a clock. While nothing was said for a second, the canceller rests,
    and what it holds back is held back in its stead; likewise while it is quiet on a line that is not known to echo:
    most lines never wake it. One that fails is bypassed from then on; ``trouble`` is told."""

    def __init__(
        self,
        canceller: EchoCanceller,
        *,
        input_rate_hz: int,
        output_rate_hz: int,
        trouble: Callable[[str, Exception], None],
    ) -> None:
        self.rate_hz = canceller.rate_hz
        self._canceller = canceller
        self._trouble = trouble
        self._stream: EchoStream | None = None
        self._failed = False
        self._far_end = FarEnd(output_rate_hz, canceller.rate_hz)
        self._input_rate_hz = input_rate_hz
        self._resampler = Resampler(input_rate_hz, canceller.rate_hz)
        self._frame_bytes = canceller.frame_samples * BYTES_PER_SAMPLE
        self._tail = self._samples(TAIL_MS)
        self._waiting = bytearray()
        self._untouched = _Late(canceller.delay_samples)
        self._subtracted = _Late(canceller.delay_samples)
        self._stale_frames = -(-canceller.delay_samples // canceller.frame_samples)
        self._frames_at_work = 0
        self._quiet_frames = self._longest_echo_frames = (
            LONGEST_MS * canceller.rate_hz // 1000 // canceller.frame_samples
        )
        self._line = LineEcho()
        self._path: EchoPath | None = None
        self._source: _Source = "untouched"
        self._ours_in_a_row = 0
        self._heard = bytearray()
        self._heard_bytes = self._samples(HEARD_MS) * BYTES_PER_SAMPLE
        # The caller's sample n was heard, at the earliest, at the clock's sample origin + n.
        self._origin: int | None = None
        self._taken_samples = 0
        self._position = 0
        self._least_late = 0
        self._watched_from = 0

    @property
    def found(self) -> bool | None:
        """Whether the line has an echo, or None while nothing is known."""
        return self._line.found

    @property
    def line_echoes(self) -> bool:
        """Whether there seems to be an echo, and a moment of it may come through: its way is not known well enough yet,
        or is another than it was."""
        if self._path is None:
            return self._line.found is True
        return (self._line.found is True or self._path.has_helped) and not self._path.is_trusted

    def sent(self, frame: bytes, due_ms: int) -> None:
        """20 ms of ours, to be heard from ``due_ms`` on."""
        self._far_end.sent(frame, due_ms)

    def cut(self, now_ms: int) -> None:
        """What was to be heard later is not heard."""
        self._far_end.cut(now_ms)

    def moved(self) -> None:
        """What is sent from now on is due sooner or later than before, beside when it is heard: how late an echo comes
        has to be learnt anew."""
        if self._line.found is None:
            self._line.forget_delays()
        if self._path is not None:
            self._path.forget()

    def clean(self, pcm: bytes, arrived_ms: int) -> Clean:
        """The caller's next audio, of whole samples, the last of which came at ``arrived_ms``. Returns what is ready of
        it, at ``rate_hz``."""
        self._taken_samples += len(pcm) // BYTES_PER_SAMPLE
        self._locate(arrived_ms)
        self._waiting += self._resampler.process(pcm)
        size = self._frame_bytes
        whole = len(self._waiting) - len(self._waiting) % size
        frames = [self._clean_frame(bytes(self._waiting[at : at + size])) for at in range(0, whole, size)]
        del self._waiting[:whole]
        clean = Clean(b"".join([speech for speech, _ in frames]), b"".join([voice for _, voice in frames]))
        self._heard += clean.voice
        del self._heard[: -self._heard_bytes]
        return clean

    def is_ours(self) -> bool:
        """Whether the last that was cleaned is an echo all the same: when its way has changed, it comes through for a
        moment."""
        if self._source == "untouched" or len(self._heard) < self._heard_bytes:
            return False
        samples = self._samples(LONGEST_DELAY_MS + HEARD_MS)
        played = self._far_end.at((self._origin or 0) + self._position - samples, samples)
        is_ours = likeness(bytes(self._heard), played) >= ALIKE
        self._ours_in_a_row = self._ours_in_a_row + 1 if is_ours else 0
        if self._source == "cancelled" or self._path is None:
            return is_ours
        if self._ours_in_a_row < OURS_AGAIN:
            return False
        self._path.doubt()
        return True

    def close(self) -> None:
        if self._stream is not None:
            close_stream(self._stream)
            self._stream = None

    def _samples(self, duration_ms: int) -> int:
        return duration_ms * self.rate_hz // 1000

    def _locate(self, arrived_ms: int) -> None:
        """Audio comes late and never early: what came soonest tells when the caller's clock began."""
        taken = self._taken_samples * self.rate_hz // self._input_rate_hz
        origin = self._samples(arrived_ms) - taken
        if self._origin is None or not 0 < origin - self._origin < self._samples(GAP_MS):
            if self._origin is not None and abs(origin - self._origin) > self._samples(SLACK_MS):
                self.moved()
            self._origin = origin
            self._watched_from, self._least_late = taken, self._samples(GAP_MS)
            return
        self._least_late = min(self._least_late, origin - self._origin)
        if taken - self._watched_from >= self._samples(WATCHED_MS):
            if self._least_late > self._samples(SLACK_MS):
                self._origin += self._least_late
                self.moved()
            self._watched_from, self._least_late = taken, self._samples(GAP_MS)

    def _clean_frame(self, frame: bytes) -> tuple[bytes, bytes]:
        """The speech and the voice in it."""
        at = (self._origin or 0) + self._position
        self._position += len(frame) // BYTES_PER_SAMPLE
        is_expected = self._far_end.end > 0 and at < self._far_end.end + self._tail
        is_needed = is_expected and not self._may_rest(frame, at)
        is_at_work = (is_needed or self._source != "untouched") and not self._failed
        knows_nothing = self._line.found is None and is_expected
        played = self._far_end.at(at, self._canceller.frame_samples) if is_at_work or knows_nothing else b""
        clean = self._cancel(frame, played, at) if is_at_work else None
        left = self._subtract(frame, played, at) if is_at_work else frame
        if clean is not None:
            self._judge(played, frame, left, clean)
        elif knows_nothing:
            self._judge_quiet(played, frame)
        untouched, subtracted = self._untouched.next(frame), self._subtracted.next(left)
        if clean is None:
            self._frames_at_work, self._source = 0, "untouched"
            return subtracted, untouched
        self._frames_at_work += 1
        if self._frames_at_work <= self._stale_frames:
            return subtracted, untouched  # it rested, and still gives what it was given before
        before, self._source = self._source, self._best(is_needed=is_needed)
        voices = {"untouched": untouched, "cancelled": clean, "subtracted": subtracted}
        voice = voices[self._source]
        return subtracted, voice if before == self._source else _faded(voices[before], voice)

    def _may_rest(self, frame: bytes, at: int) -> bool:
        """On a line that has no echo as far as is known: whether all has been quiet, here or there, for longer than one
        takes. Of quiet, a canceller learns nothing."""
        samples = np.frombuffer(frame, "<i2").astype(np.float32)
        is_quiet = np.dot(samples, samples) <= _QUIET * len(samples)
        self._quiet_frames = self._quiet_frames + 1 if is_quiet else 0
        if self._line.found:
            return False
        longest = self._longest_echo_frames
        return self._quiet_frames >= longest or at > self._far_end.end + longest * self._canceller.frame_samples

    def _best(self, *, is_needed: bool) -> _Source:
        if not is_needed or self._line.found is False:
            return "untouched"
        return "subtracted" if self._path is not None and self._path.hears_a_caller else "cancelled"

    def _subtract(self, frame: bytes, played: bytes, at: int) -> bytes:
        if self._line.found is False:
            self._path = None
            return frame
        if self._path is None and self._quiet_frames:
            return frame  # nothing can be learnt of a way from what is not heard
        if self._path is None:
            size = self._canceller.frame_samples
            self._path = EchoPath(size, self.rate_hz)
            for back in range(self._longest_echo_frames, 0, -1):
                self._path.remember(self._far_end.at(at - back * size, size))
        return self._path.without_echo(played, frame)

    def _cancel(self, frame: bytes, played: bytes, at: int) -> bytes | None:
        try:
            if self._stream is None:
                self._stream = self._canceller.open()
            if self._frames_at_work == 0:
                self._catch_up(self._stream, at)
            self._stream.played(played)
            clean = self._stream.process(frame)
        except Exception as error:  # noqa: BLE001 -- a vendor's code, and a vendor's mistakes
            self._failed = True
            self._trouble("echo", error)
            self.close()
            return None
        return clean

    def _catch_up(self, stream: EchoStream, at: int) -> None:
        """What was said while it was quiet: the echo of it may be what is heard now."""
        size = self._canceller.frame_samples
        for back in range(self._longest_echo_frames, 0, -1):
            stream.played(self._far_end.at(at - back * size, size))
            stream.process(bytes(size * BYTES_PER_SAMPLE))

    def _judge_quiet(self, played: bytes, heard: bytes) -> None:
        played_dbfs, heard_dbfs = _levels_dbfs(self.rate_hz, played, heard)
        self._line.hear(played_dbfs, heard_dbfs, heard_dbfs)

    def _judge(self, played: bytes, heard: bytes, left: bytes, cancelled: bytes) -> None:
        if self._line.found is False:
            self._line.suspect(*_levels_dbfs(self.rate_hz, played, heard, cancelled))
        else:
            self._line.hear(*_levels_dbfs(self.rate_hz, played, heard, left))


class _Late:
    """Audio as late as a canceller makes it."""

    def __init__(self, samples: int) -> None:
        self._held_back = bytes(samples * BYTES_PER_SAMPLE)

    def next(self, frame: bytes) -> bytes:
        both = self._held_back + frame
        self._held_back = both[len(frame) :]
        return both[: len(frame)]


def close_stream(stream: EchoStream | NoiseStream | VadStream) -> None:
    """Whatever it raises: nobody can do anything about it any more."""
    try:
        stream.close()
    except Exception:  # a vendor's code, and a vendor's mistakes
        logger.exception("a stream raised while it was closed")


def _levels_dbfs(rate_hz: int, *frames: bytes) -> list[float]:
    """Of each, between 300 and 3400 Hz: what a telephone and a small loudspeaker carry, without a room's rumble."""
    samples = np.frombuffer(b"".join(frames), "<i2").reshape(len(frames), -1).astype(np.float32)
    size = samples.shape[1]
    band = slice(300 * size // rate_hz, 3_400 * size // rate_hz + 1)
    spectra = np.fft.rfft(samples * _hann(size), axis=1)[:, band]
    # Of a window of Hann's, whose mean square is 3/8; each frequency stands for its mirror image too.
    powers = (spectra.real**2 + spectra.imag**2).sum(axis=1) * (2 / 0.375 / size**2 / 2**30)
    levels: list[float] = (10 * np.log10(powers + 1e-12)).tolist()
    return levels


@cache
def _hann(size: int) -> NDArray[np.float32]:
    return np.hanning(size).astype(np.float32)


def _faded(first: bytes, second: bytes) -> bytes:
    """From one to the other, without a click."""
    falling, rising = np.frombuffer(first, "<i2"), np.frombuffer(second, "<i2")
    share = np.linspace(0.0, 1.0, len(rising))
    return np.rint(falling * (1 - share) + rising * share).astype("<i2").tobytes()
