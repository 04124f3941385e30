"""Several voices as one: the first that is well speaks, and where it fails the next takes over at once.

In the middle of a piece the next says the rest, from the word that was not wholly spoken: rather half a word twice than
a word not at all. All speak at the rate of the first. A voice is asked for by the name that the first knows it by, so
the others use their own default.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from providers.api import SpeechChunk, SpeechOptions, TextToSpeech, WordTiming
from providers.audio import sample_count
from providers.resample import Resampler
from session.aio.attempts import PATIENCE_MS, Attempts, Members, Watch, monotonic_ms
from session.breaker import Breaker

__all__ = ("TextToSpeechInOrder", "converted")

SLOW_MS_PER_CHARACTER = 90
"""11 characters a second, slow speech: by this what was spoken without times of words is rather less than it was."""


class TextToSpeechInOrder:
    """A voice that fails, or keeps a chunk to itself for too long, is replaced."""

    def __init__(
        self,
        providers: Sequence[TextToSpeech],
        *,
        patience_ms: int = PATIENCE_MS,
        clock_ms: Callable[[], int] = monotonic_ms,
    ) -> None:
        self._members = Members[TextToSpeech](providers, patience_ms, clock_ms)
        self.name = self._members.first.name
        self.rate_hz = self._members.first.rate_hz

    @property
    def breakers(self) -> tuple[tuple[str, Breaker], ...]:
        return self._members.breakers

    async def warm_up(self) -> None:
        await self._members.warm_up()

    async def synthesise(
        self, text: str, options: SpeechOptions, watch: Watch | None = None
    ) -> AsyncGenerator[SpeechChunk, None]:
        """:raises ProviderError: the last failure, when all have failed."""
        attempts = self._members.attempts(watch)
        piece = _Piece(text, self.rate_hz, options.speed)
        try:
            for voice in attempts:
                try:
                    async with aclosing(self._spoken_by(voice, piece.rest, options, attempts)) as chunks:
                        async for chunk in chunks:
                            yield piece.given(chunk)
                except Exception as error:  # noqa: BLE001 -- a vendor's code, and a vendor's mistakes
                    attempts.failed(error)
                    piece.break_off()
                    if not piece.rest:
                        return
                else:
                    if piece.ahead:
                        yield SpeechChunk(b"", tuple(piece.ahead))
                    attempts.succeeded()
                    return
            raise attempts.error
        finally:
            attempts.over()

    async def aclose(self) -> None:
        await self._members.aclose()

    async def _spoken_by(
        self, voice: TextToSpeech, text: str, options: SpeechOptions, attempts: Attempts[TextToSpeech]
    ) -> AsyncGenerator[SpeechChunk, None]:
        """At our rate; each chunk within our patience."""
        if voice is not self._members.first:
            options = replace(options, voice=None)
        resampler = Resampler(voice.rate_hz, self.rate_hz)
        async with aclosing(voice.synthesise(text, options)) as chunks:
            while (chunk := await attempts.in_time(anext(chunks, None))) is not None:
                yield converted(chunk, resampler)
        rest = resampler.process(b"", last=True)
        if rest:
            yield SpeechChunk(rest)


class _Piece:
    """A text, as far as it was spoken, by whomever. ``rest`` is for the next to say; ``ahead`` are words whose times
    were given and whose sound was not: if it never comes, somebody else says them, at another time."""

    def __init__(self, text: str, rate_hz: int, speed: float) -> None:
        self.rest = text
        self.ahead: list[WordTiming] = []
        self._characters_per_sample = 1000 * speed / SLOW_MS_PER_CHARACTER / rate_hz
        self._samples = 0
        self._begun_at = 0
        self._spoken: list[WordTiming] = []

    def given(self, chunk: SpeechChunk) -> SpeechChunk:
        """The next chunk, its words counted from the start of the whole piece."""
        self._samples += sample_count(chunk.pcm)
        words = [
            *self.ahead,
            *(replace(word, end_sample=self._begun_at + word.end_sample) for word in chunk.words),
        ]
        spoken = [word for word in words if word.end_sample <= self._samples]
        self.ahead = [word for word in words if word.end_sample > self._samples]
        self._spoken += spoken
        return SpeechChunk(chunk.pcm, tuple(spoken))

    def break_off(self) -> None:
        """Whoever spoke it says no more: ``rest`` begins with the first word that was not wholly spoken."""
        words = list(re.finditer(r"\S+", self.rest))
        if self._is_timed([word[0] for word in words]):
            count = len(self._spoken)
        else:
            characters = (self._samples - self._begun_at) * self._characters_per_sample
            count = sum(word.end() <= characters for word in words[:-1])  # it broke: so it was not at its end
        self.rest = self.rest[words[count].start() :] if count < len(words) else ""
        self._begun_at = self._samples
        self.ahead, self._spoken = [], []

    def _is_timed(self, words: Sequence[str]) -> bool:
        """Whether the times that were given are of the words of the text: some voices count what they say instead,
        *twenty five* for *25*."""
        timed = [*self._spoken, *self.ahead]
        return 0 < len(timed) <= len(words) and all(
            time.word.lower() in word.lower() for time, word in zip(timed, words, strict=False)
        )


def converted(chunk: SpeechChunk, resampler: Resampler) -> SpeechChunk:
    """At the rate of ``resampler``, the times of its words too."""
    words = tuple(
        replace(word, end_sample=word.end_sample * resampler.to_hz // resampler.from_hz) for word in chunk.words
    )
    return SpeechChunk(resampler.process(chunk.pcm), words)
