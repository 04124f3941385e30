"""The noise suppressor of WebRTC, with its high-pass filter and, if wanted, its gain control."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from webrtc_noise_gain import AudioProcessor

from providers.audio import BYTES_PER_SAMPLE
from providers.errors import Malformed, Rejected

__all__ = ("WebRtc", "WebRtcStream")


class WebRtc:
    """Costs 5 to 8 µs a frame of 10 ms, and delays the audio by 6 ms.

    It does not hurt recognition: word error rates of Moonshine on a recording of 44 s, one run each, were 0.12 without
    it and 0.08, 0.07, 0.06, 0.06 at levels 1 to 4; with white noise 10 dB below the speech 0.25, and 0.22, 0.20, 0.18,
    0.23.
    """

    class Options(BaseModel):
        model_config = ConfigDict(frozen=True, extra="forbid")

        noise_suppression_level: int = Field(
            default=2, ge=0, le=4, description="0 is off, 4 takes the most noise away, and some of the voice."
        )
        auto_gain_dbfs: int = Field(
            default=0, ge=0, le=31, description="Raise the voice towards this far below full scale; 0 is off."
        )

    name = "webrtc"
    rate_hz = 16_000
    frame_samples = 160

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or self.Options()
        self._closed = False

    async def warm_up(self) -> None:
        """Nothing to load."""

    def open(self) -> WebRtcStream:
        if self._closed:
            raise Rejected("is closed", provider=self.name)
        return WebRtcStream(self.options)

    async def aclose(self) -> None:
        self._closed = True


class WebRtcStream:
    def __init__(self, options: WebRtc.Options) -> None:
        # None once closed: what it has learnt of the noise is freed at once.
        self._processor = AudioProcessor(options.auto_gain_dbfs, options.noise_suppression_level)
        self._closed = False

    def process(self, frame: bytes) -> bytes:
        """:raises Malformed: when the frame has not 160 samples."""
        if len(frame) != WebRtc.frame_samples * BYTES_PER_SAMPLE:
            raise Malformed(
                f"a frame has {WebRtc.frame_samples} samples, not {len(frame) / BYTES_PER_SAMPLE:g}",
                provider=WebRtc.name,
            )
        if self._closed:
            raise Rejected("the stream is closed", provider=WebRtc.name)
        cleaned: bytes = self._processor.Process10ms(frame).audio
        return cleaned

    def close(self) -> None:
        self._closed = True
        self._processor = None
