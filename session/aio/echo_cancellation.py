"""Our own voice, taken out of what the caller's microphone returns of it.

The canceller is given, with each frame of the caller's, what they were to hear in that time. How much later it comes
back, through the network, their loudspeaker and their room, is for the canceller to find out.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

import numpy as np

from providers.api import EchoCanceller, EchoStream, NoiseStream, VadStream
from providers.audio import BYTES_PER_SAMPLE
from providers.resample import Resampler
from session.aio.far_end import FarEnd
from session.aio.likeness import ALIKE, HEARD_MS, LONGEST_DELAY_MS, likeness
from session.line_echo import LineEcho

__all__ = ("EchoCancellation", "close_stream")

logger = logging.getLogger(__name__)

TAIL_MS = 1_000
"""An echo that comes later than this after the last sound is none that a canceller finds."""

WATCHED_MS = 1_000
"""Audio that comes late may only have been held up. When all of it did for so long, the caller's clock is behind."""

SLACK_MS = 20
"""Not worth a jump of the reference, after which a canceller has to find the echo anew; less than any echo's delay."""

GAP_MS = 300
"""Audio as late as this follows on a pause in the stream (muted, resumed)."""


class EchoCancellation:
    """Between ``sent`` and ``clean``, which share a clock. While nothing was said for a second, the canceller rests,
    and what it holds back is held back in its stead; likewise on a line that turns out to return nothing. One that
    fails is bypassed from then on; ``trouble`` is told."""

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
        self._held_back = bytes(canceller.delay_samples * BYTES_PER_SAMPLE)
        self._stale_frames = -(-canceller.delay_samples // canceller.frame_samples)
        self._frames_at_work = 0
        self._line = LineEcho()
        self._in_use = False
        self._heard = bytearray()
        self._heard_bytes = self._samples(HEARD_MS) * BYTES_PER_SAMPLE
        # The caller's sample n was heard, at the earliest, at the clock's sample origin + n.
        self._origin: int | None = None
        self._taken_samples = 0
        self._position = 0
        self._least_late = 0
        self._watched_from = 0

    @property
    def line_echoes(self) -> bool:
        """Whether an echo was found, and is taken away."""
        return self._line.found is True

    def sent(self, frame: bytes, due_ms: int) -> None:
        """20 ms of ours, to be heard from ``due_ms`` on."""
        self._far_end.sent(frame, due_ms)

    def cut(self, now_ms: int) -> None:
        """What was to be heard later is not heard."""
        self._far_end.cut(now_ms)

    def clean(self, pcm: bytes, arrived_ms: int) -> bytes:
        """The caller's next audio, of whole samples, the last of which came at ``arrived_ms``. Returns what is ready of
        it, at ``rate_hz``."""
        self._taken_samples += len(pcm) // BYTES_PER_SAMPLE
        self._locate(arrived_ms)
        self._waiting += self._resampler.process(pcm)
        size = self._frame_bytes
        whole = len(self._waiting) - len(self._waiting) % size
        clean = b"".join([self._clean_frame(bytes(self._waiting[at : at + size])) for at in range(0, whole, size)])
        del self._waiting[:whole]
        self._heard += clean
        del self._heard[: -self._heard_bytes]
        return clean

    def is_ours(self) -> bool:
        """Whether the last that was cleaned is an echo all the same: when its way has changed, it comes through for a
        moment."""
        if not self._in_use or len(self._heard) < self._heard_bytes:
            return False
        samples = self._samples(LONGEST_DELAY_MS + HEARD_MS)
        played = self._far_end.at((self._origin or 0) + self._position - samples, samples)
        return likeness(bytes(self._heard), played) >= ALIKE

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
            self._origin = origin
            self._watched_from, self._least_late = taken, self._samples(GAP_MS)
            return
        self._least_late = min(self._least_late, origin - self._origin)
        if taken - self._watched_from >= self._samples(WATCHED_MS):
            if self._least_late > self._samples(SLACK_MS):
                self._origin += self._least_late
            self._watched_from, self._least_late = taken, self._samples(GAP_MS)

    def _clean_frame(self, frame: bytes) -> bytes:
        at = (self._origin or 0) + self._position
        self._position += len(frame) // BYTES_PER_SAMPLE
        both = self._held_back + frame
        untouched, self._held_back = both[: len(frame)], both[len(frame) :]
        is_needed = self._far_end.end > 0 and at < self._far_end.end + self._tail
        clean = self._cancel(frame, at) if (is_needed or self._in_use) and not self._failed else None
        if clean is None:
            self._frames_at_work, self._in_use = 0, False
            return untouched
        self._frames_at_work += 1
        if self._frames_at_work <= self._stale_frames:
            return untouched  # it rested, and still gives what it was given before
        was_in_use, self._in_use = self._in_use, is_needed and self._line.found is not False
        if self._in_use:
            return clean if was_in_use else _faded(untouched, clean)
        return _faded(clean, untouched) if was_in_use else untouched

    def _cancel(self, frame: bytes, at: int) -> bytes | None:
        played = self._far_end.at(at, self._canceller.frame_samples)
        try:
            if self._stream is None:
                self._stream = self._canceller.open()
            self._stream.played(played)
            clean = self._stream.process(frame)
        except Exception as error:  # noqa: BLE001 -- a vendor's code, and a vendor's mistakes
            self._failed = True
            self._trouble("echo", error)
            self.close()
            return None
        self._line.hear(_level_dbfs(played), _level_dbfs(frame), _level_dbfs(clean))
        return clean


def close_stream(stream: EchoStream | NoiseStream | VadStream) -> None:
    """Whatever it raises: nobody can do anything about it any more."""
    try:
        stream.close()
    except Exception:  # a vendor's code, and a vendor's mistakes
        logger.exception("a stream raised while it was closed")


def _level_dbfs(pcm: bytes) -> float:
    """As ``providers.audio.level_dbfs``, in a tenth of the time: three of them go with each frame."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float32)
    return 10 * math.log10(float(np.dot(samples, samples)) / len(samples) / 2**30 + 1e-12)


def _faded(first: bytes, second: bytes) -> bytes:
    """From one to the other, without a click."""
    falling, rising = np.frombuffer(first, "<i2"), np.frombuffer(second, "<i2")
    share = np.linspace(0.0, 1.0, len(rising))
    return np.rint(falling * (1 - share) + rising * share).astype("<i2").tobytes()
