"""A caller's voice that a recogniser of ours understands: every sample says which word it belongs to.

What is understood is therefore what came over the line, to the word, whenever and into whatever it was spoken.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator

from providers.api import Transcript
from providers.fakes import Gate

__all__ = ("MS_PER_WORD", "RATE_HZ", "Recogniser", "RecogniserStream", "Voice")

RATE_HZ = 16_000

MS_PER_WORD = 300

_WORD_SAMPLES = RATE_HZ * MS_PER_WORD // 1000

_QUIETEST = 4_000
"""The level of the first word; each further one is a step louder, so that none sounds like another."""


class Voice:
    """Signed 16-bit little-endian mono at 16 kHz, a word every 300 ms."""

    def __init__(self) -> None:
        self._words: list[str] = []

    def speak(self, text: str) -> bytes:
        """
        :raises ValueError: when so much was said that it cannot be told apart.
        """
        spoken = array("h")
        for word in text.split():
            level = _QUIETEST + len(self._words)
            if level > 32_767:
                raise ValueError(f"no more than {32_768 - _QUIETEST} words can be said in one call")
            self._words.append(word)
            spoken.extend(array("h", [level]) * _WORD_SAMPLES)
        return spoken.tobytes()

    def word(self, level: int) -> str:
        """What is said at this level; nothing at any other."""
        number = level - _QUIETEST
        return self._words[number] if 0 <= number < len(self._words) else ""


class Recogniser:
    """Understands a ``Voice``. A word counts once half of it was heard. ``gate`` is awaited before each final.

    An interim comes with every further word.
    """

    name = "rehearsal"
    rate_hz = RATE_HZ

    def __init__(self, voice: Voice, gate: Gate) -> None:
        self._voice = voice
        self._gate = gate

    async def warm_up(self) -> None:
        """Nothing to load."""

    def open(self, *, language: str | None = None) -> RecogniserStream:
        return RecogniserStream(self._voice, self._gate, language)

    async def aclose(self) -> None:
        """Nothing to close."""


class RecogniserStream:
    def __init__(self, voice: Voice, gate: Gate, language: str | None) -> None:
        self._voice = voice
        self._gate = gate
        self._language = language
        self._heard_samples: dict[int, int] = {}
        self._words: list[str] = []
        self._results: asyncio.Queue[Transcript | None] = asyncio.Queue()

    def feed(self, pcm: bytes) -> None:
        samples, before = array("h", pcm), len(self._words)
        for level in sorted(set(samples)):
            heard_before = self._heard_samples.get(level, 0)
            heard = self._heard_samples[level] = heard_before + samples.count(level)
            if heard_before < _WORD_SAMPLES // 2 <= heard and (word := self._voice.word(level)):
                self._words.append(word)
        if len(self._words) > before:
            self._give(final=False)

    def finalise(self) -> None:
        self._give(final=True)

    def _give(self, *, final: bool) -> None:
        self._results.put_nowait(Transcript(" ".join(self._words), final=final, language=self._language))

    async def __aiter__(self) -> AsyncIterator[Transcript]:
        while (result := await self._results.get()) is not None:
            if result.final:
                await self._gate()
            yield result

    async def aclose(self) -> None:
        self._results.put_nowait(None)
