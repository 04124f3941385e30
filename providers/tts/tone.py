"""A voice that hums: a sine instead of words, for tests of capacity, where no model should be measured."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import lru_cache

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from providers.api import SpeechChunk, SpeechOptions
from providers.errors import Rejected

__all__ = ("Tone",)

_CHUNK_MS = 200
_FADE_MS = 5
"""At both ends, against clicks."""


class Tone:
    """Hums for as long as it is set to, whatever the text; at twice the ``speed``, half as long."""

    class Options(BaseModel):
        model_config = ConfigDict(frozen=True, extra="forbid")

        frequency_hz: int = Field(default=440, ge=50, le=3_400, description="How high it hums.")
        duration_ms: int = Field(default=1_000, ge=20, le=60_000, description="How long it hums for one text.")
        rate_hz: int = Field(default=16_000, ge=8_000, le=48_000, description="Samples a second.")

    name = "tone"

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or self.Options()
        self.rate_hz = self.options.rate_hz
        self._closed = False

    async def warm_up(self) -> None:
        """Nothing to load."""

    async def synthesise(self, text: str, options: SpeechOptions) -> AsyncGenerator[SpeechChunk, None]:
        """The volume is that of loud speech, a quarter of full scale, times ``options.volume``."""
        if not 0.5 <= options.speed <= 2.0 or not 0.0 <= options.volume <= 1.0:
            raise Rejected("speed is 0.5 to 2, volume 0 to 1", provider=self.name)
        if self._closed:
            raise Rejected("is closed", provider=self.name)
        if not text.strip():
            return
        samples = round(self.options.duration_ms / options.speed) * self.rate_hz // 1000
        pcm = _sine(self.options.frequency_hz, self.rate_hz, samples, 8192 * options.volume)
        step = 2 * (self.rate_hz * _CHUNK_MS // 1000)
        for at in range(0, len(pcm), step):
            yield SpeechChunk(pcm[at : at + step])

    async def aclose(self) -> None:
        self._closed = True


@lru_cache(maxsize=16)
def _sine(frequency_hz: int, rate_hz: int, samples: int, peak: float) -> bytes:
    n = np.arange(samples)
    fade = rate_hz * _FADE_MS / 1000
    envelope = np.minimum(1.0, np.minimum(n, n[::-1]) / fade)
    wave = peak * envelope * np.sin(n * (2 * np.pi * frequency_hz / rate_hz))
    pcm: bytes = np.rint(wave).astype("<i2").tobytes()
    return pcm
