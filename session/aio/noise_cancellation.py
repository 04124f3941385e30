"""A noise canceller in a stream of audio: at its own rate and in its own frames, and bypassed once it fails."""

from __future__ import annotations

from collections.abc import Callable

from providers.api import NoiseFilter, NoiseStream
from providers.audio import BYTES_PER_SAMPLE
from providers.errors import Malformed
from providers.resample import Resampler
from session.aio.echo_cancellation import close_stream

__all__ = ("NoiseCancellation",)


class NoiseCancellation:
    """``clean`` gives audio at ``rate_hz``; where there is no canceller, or none any more, as it came.

    ``trouble`` is told of one that fails or cannot be opened, in whatever way.
    """

    def __init__(
        self, noise: NoiseFilter | None, *, input_rate_hz: int, trouble: Callable[[str, Exception], None]
    ) -> None:
        self.rate_hz = input_rate_hz
        self._trouble = trouble
        self._resampler = Resampler(input_rate_hz, input_rate_hz)
        self._stream: NoiseStream | None = None
        self._frame_bytes = BYTES_PER_SAMPLE
        self._waiting = bytearray()
        if noise is not None:
            try:
                self._resampler = Resampler(input_rate_hz, noise.rate_hz)
                self._stream = noise.open()
            except Exception as error:  # noqa: BLE001 -- a vendor's code, and a vendor's mistakes
                self._resampler = Resampler(input_rate_hz, input_rate_hz)
                trouble("noise", error)
            else:
                self.rate_hz, self._frame_bytes = noise.rate_hz, noise.frame_samples * BYTES_PER_SAMPLE

    def clean(self, pcm: bytes) -> bytes:
        """The next audio, of whole samples. Returns what is ready of it: whole frames."""
        pcm = self._resampler.process(pcm)
        if self._stream is None:
            return pcm
        self._waiting += pcm
        size = self._frame_bytes
        whole = len(self._waiting) - len(self._waiting) % size
        try:
            frames = [self._stream.process(bytes(self._waiting[at : at + size])) for at in range(0, whole, size)]
            clean = _of_length(whole, b"".join(frames))
        except Exception as error:  # noqa: BLE001 -- as above
            self._trouble("noise", error)
            self.close()
            clean, whole = bytes(self._waiting), len(self._waiting)
        del self._waiting[:whole]
        return clean

    def close(self) -> None:
        if self._stream is not None:
            close_stream(self._stream)
            self._stream = None


def _of_length(size: int, clean: bytes) -> bytes:
    """
    :raises Malformed: what a noise canceller has given is more or less than it was given.
    """
    if len(clean) != size:
        raise Malformed(f"gave {len(clean)} bytes for {size}")
    return clean
