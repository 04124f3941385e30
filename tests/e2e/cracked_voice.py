"""A voice of another package, which breaks in its second chunk, or dies after a while."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from pydantic import BaseModel, ConfigDict

from providers.api import SpeechChunk, SpeechOptions, WordTiming
from providers.errors import Unreachable

__all__ = ("Cracked",)

_WORD_SAMPLES = 1_600
_CHUNK_WORDS = 3


class Cracked:
    """Takes 100 ms for a word, and gives three to a chunk."""

    class Options(BaseModel):
        model_config = ConfigDict(frozen=True, extra="forbid")

        last_text: int | None = None
        """How many texts it says; None for any number."""

    name = "cracked"
    rate_hz = 16_000

    def __init__(self, options: Options | None = None) -> None:
        self._options = options or self.Options()
        self._texts = 0

    async def warm_up(self) -> None:
        """Nothing to load."""

    async def synthesise(self, text: str, options: SpeechOptions) -> AsyncGenerator[SpeechChunk, None]:
        self._texts += 1
        if self._options.last_text is not None and self._texts > self._options.last_text:
            raise Unreachable("the voice is dead", provider=self.name)
        words = text.split()
        for at in range(0, len(words), _CHUNK_WORDS):
            if at:
                raise Unreachable("the voice broke", provider=self.name)
            spoken = words[at : at + _CHUNK_WORDS]
            timings = [WordTiming(word, _WORD_SAMPLES * (at + n)) for n, word in enumerate(spoken, 1)]
            yield SpeechChunk(bytes(2 * _WORD_SAMPLES * len(spoken)), tuple(timings))

    async def aclose(self) -> None:
        """Nothing to close."""
