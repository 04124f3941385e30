"""A voice that remembers: what is said again and again ("One moment, please.") is synthesised once for the process."""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from providers.api import SpeechChunk, SpeechOptions, TextToSpeech

__all__ = ("PhraseCache",)

_LONGEST_CHARACTERS = 200
"""Longer ones are hardly said twice."""

_FROM_CACHE = "phrase_cache"

_Key = tuple[str, SpeechOptions]


class _Watch(Protocol):
    """As that of a session: told whom a request goes to, and of each that failed and was replaced."""

    def asks(self, provider: str) -> None: ...

    def over(self, error: str) -> None: ...


@dataclass(frozen=True, slots=True)
class _Phrase:
    chunks: tuple[SpeechChunk, ...]
    size_bytes: int


class PhraseCache:
    """Around another voice, or around several in order: what is remembered is said when all of them are down.

    At most ``most_bytes`` of audio; the least recently said goes first, ``always`` never: those are synthesised at
    warm-up. A phrase is remembered when it was said whole. Of several voices only the first is remembered, so that it
    is heard again when it is well; ``always`` may be of any. Two who ask for the same at once both have it synthesised.
    """

    forwards_watch = True

    def __init__(self, voice: TextToSpeech, most_bytes: int, *, always: Sequence[str] = ()) -> None:
        self.name = voice.name
        self.rate_hz = voice.rate_hz
        self._voice = voice
        self._most_bytes = most_bytes
        self._always = tuple(always)
        self._phrases: OrderedDict[_Key, _Phrase] = OrderedDict()
        self._kept: dict[_Key, _Phrase] = {}
        self._is_watched = "watch" in inspect.signature(voice.synthesise).parameters

    @property
    def held_bytes(self) -> int:
        return sum(phrase.size_bytes for phrase in (*self._phrases.values(), *self._kept.values()))

    async def warm_up(self) -> None:
        await self._voice.warm_up()
        for text in self._always:
            key = (text, SpeechOptions())
            if key not in self._kept:
                chunks = tuple([chunk async for chunk in self._voice.synthesise(*key)])
                self._kept[key] = _Phrase(chunks, _size_bytes(chunks))

    async def synthesise(
        self, text: str, options: SpeechOptions, watch: _Watch | None = None
    ) -> AsyncGenerator[SpeechChunk, None]:
        """What is remembered comes at once. ``watch`` is told that it came from ``phrase_cache``, and nobody is asked.

        :raises ProviderError: as the voice does; nothing is remembered then.
        """
        key = (text, options)
        known = self._recall(key)
        if known is not None:
            if watch is not None:
                watch.asks(_FROM_CACHE)
            for chunk in known.chunks:
                yield chunk
            return
        note = _Noting(self.name, watch)
        chunks: list[SpeechChunk] = []
        size_bytes = 0
        worth_it = len(text) <= _LONGEST_CHARACTERS
        async with aclosing(self._spoken(text, options, note)) as speech:
            async for chunk in speech:
                size_bytes += len(chunk.pcm)
                worth_it = worth_it and size_bytes <= self._most_bytes
                if worth_it:
                    chunks.append(chunk)
                yield chunk
        if worth_it and chunks and note.provider == self.name:
            self._remember(key, _Phrase(tuple(chunks), size_bytes))

    async def aclose(self) -> None:
        self._phrases.clear()
        self._kept.clear()
        await self._voice.aclose()

    def _spoken(self, text: str, options: SpeechOptions, note: _Noting) -> AsyncGenerator[SpeechChunk, None]:
        if self._is_watched:
            return self._voice.synthesise(text, options, note)  # type: ignore[call-arg] # its signature was looked at
        return self._voice.synthesise(text, options)

    def _recall(self, key: _Key) -> _Phrase | None:
        if key in self._phrases:
            self._phrases.move_to_end(key)
        return self._kept.get(key) or self._phrases.get(key)

    def _remember(self, key: _Key, phrase: _Phrase) -> None:
        self._phrases[key] = phrase
        self._phrases.move_to_end(key)
        while self._phrases and self.held_bytes > self._most_bytes:
            self._phrases.popitem(last=False)


class _Noting:
    """Passes on what it is told, and knows who was asked last."""

    def __init__(self, provider: str, watch: _Watch | None) -> None:
        self.provider = provider
        self._watch = watch

    def asks(self, provider: str) -> None:
        self.provider = provider
        if self._watch is not None:
            self._watch.asks(provider)

    def over(self, error: str) -> None:
        if self._watch is not None:
            self._watch.over(error)


def _size_bytes(chunks: Sequence[SpeechChunk]) -> int:
    return sum(len(chunk.pcm) for chunk in chunks)
