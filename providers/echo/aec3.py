"""The echo canceller of WebRTC, AEC3, as the package ``livekit`` carries it."""

from __future__ import annotations

from livekit.rtc import AudioFrame, AudioProcessingModule
from pydantic import BaseModel, ConfigDict

from providers.audio import BYTES_PER_SAMPLE
from providers.errors import Malformed, Rejected

__all__ = ("Aec3", "Aec3Stream")


class Aec3:
    """Finds an echo that comes up to half a second after its reference, and keeps what it has learnt of the line.

    Costs 75 µs for 10 ms of both sides, most of it in the package's way to the library, and 0.4 MB a stream. With its
    high-pass filter, which it asks for. It needs no model; the library is 28 MB.
    """

    class Options(BaseModel):
        model_config = ConfigDict(frozen=True, extra="forbid")

    name = "aec3"
    rate_hz = 16_000
    frame_samples = 160
    delay_samples = 126

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or self.Options()
        self._closed = False

    async def warm_up(self) -> None:
        """The library is loaded by the first one made."""
        self.open().close()

    def open(self) -> Aec3Stream:
        if self._closed:
            raise Rejected("is closed", provider=self.name)
        return Aec3Stream()

    async def aclose(self) -> None:
        self._closed = True


class Aec3Stream:
    def __init__(self) -> None:
        # None once closed: what it has learnt of the line is freed at once.
        self._module: AudioProcessingModule | None = AudioProcessingModule(echo_cancellation=True)

    def played(self, frame: bytes) -> None:
        """:raises Malformed: when the frame has not 160 samples."""
        self._opened(frame).process_reverse_stream(_framed(frame))

    def process(self, frame: bytes) -> bytes:
        """:raises Malformed: when the frame has not 160 samples."""
        module, framed = self._opened(frame), _framed(frame)
        module.process_stream(framed)  # in place
        return bytes(framed.data)

    def close(self) -> None:
        self._module = None

    def _opened(self, frame: bytes) -> AudioProcessingModule:
        if len(frame) != Aec3.frame_samples * BYTES_PER_SAMPLE:
            raise Malformed(
                f"a frame has {Aec3.frame_samples} samples, not {len(frame) / BYTES_PER_SAMPLE:g}", provider=Aec3.name
            )
        if self._module is None:
            raise Rejected("the stream is closed", provider=Aec3.name)
        return self._module


def _framed(frame: bytes) -> AudioFrame:
    return AudioFrame(bytearray(frame), Aec3.rate_hz, 1, Aec3.frame_samples)
