from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from providers.api import SpeechChunk, SpeechOptions, WordTiming
from providers.errors import Unreachable
from providers.fakes import FakeTts
from providers.phrase_cache import PhraseCache
from session import TextToSpeechInOrder

MOMENT = "One moment, please."
PLAIN = SpeechOptions()


class Voice:
    """A second of silence a word, in two chunks; breaks before the second one while it is told to."""

    name = "voice"
    rate_hz = 8_000

    def __init__(self, name: str = "voice") -> None:
        self.name = name
        self.said: list[str] = []
        self.broken = False
        self.closed = False

    async def warm_up(self) -> None:
        """Nothing to load."""

    async def synthesise(self, text: str, options: SpeechOptions) -> AsyncGenerator[SpeechChunk, None]:
        self.said.append(text)
        words = text.split()
        yield SpeechChunk(bytes(16_000), (WordTiming(words[0], 8_000),))
        await asyncio.sleep(0)
        if self.broken:
            raise Unreachable("the line is dead")
        yield SpeechChunk(bytes(16_000 * (len(words) - 1)))

    async def aclose(self) -> None:
        self.closed = True


class Watching:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def asks(self, provider: str) -> None:
        self.asked.append(provider)

    def over(self, error: str) -> None:
        """What failed is the business of another test."""


async def spoken(cache: PhraseCache, text: str = MOMENT, options: SpeechOptions = PLAIN) -> list[SpeechChunk]:
    return [chunk async for chunk in cache.synthesise(text, options)]


async def test_a_phrase_is_synthesised_once_and_sounds_the_same_with_its_times_of_words() -> None:
    voice = Voice()
    cache = PhraseCache(voice, 10**6)
    first, second = await spoken(cache), await spoken(cache)

    assert first == second
    assert [MOMENT] == voice.said
    assert (WordTiming("One", 8_000),) == second[0].words


async def test_what_is_said_in_another_way_is_another_phrase() -> None:
    voice = Voice()
    cache = PhraseCache(voice, 10**6)
    for options in (PLAIN, SpeechOptions(speed=2.0), SpeechOptions(volume=0.5), SpeechOptions(voice="joe")):
        await spoken(cache, options=options)

    assert [MOMENT] * 4 == voice.said


async def test_the_least_recently_said_goes_first() -> None:
    voice = Voice()
    cache = PhraseCache(voice, 100_000)  # three phrases of two words
    for text in ("a a", "b b", "c c", "a a", "d d", "a a", "b b"):
        await spoken(cache, text)

    assert ["a a", "b b", "c c", "d d", "b b"] == voice.said
    assert 96_000 == cache.held_bytes


@pytest.mark.parametrize("text", ["word " * 50, "much too loud to keep"])
async def test_what_is_long_is_not_remembered(text: str) -> None:
    voice = Voice()
    cache = PhraseCache(voice, 50_000)
    await spoken(cache, text)
    await spoken(cache, text)

    assert [text, text] == voice.said
    assert 0 == cache.held_bytes


async def test_a_phrase_that_broke_off_is_not_remembered() -> None:
    voice = Voice()
    cache = PhraseCache(voice, 10**6)
    voice.broken = True
    with pytest.raises(Unreachable):
        await spoken(cache)
    voice.broken = False

    assert 2 == len(await spoken(cache))
    assert 2 == len(await spoken(cache))
    assert [MOMENT, MOMENT] == voice.said


async def test_a_phrase_that_nobody_heard_to_its_end_is_not_remembered() -> None:
    voice = Voice()
    cache = PhraseCache(voice, 10**6)
    speech = cache.synthesise(MOMENT, PLAIN)
    await anext(speech)
    await speech.aclose()

    assert 0 == cache.held_bytes
    assert 2 == len(await spoken(cache))


async def test_two_who_ask_at_once_are_both_answered_in_full() -> None:
    cache = PhraseCache(Voice(), 10**6)
    one, other = await asyncio.gather(spoken(cache), spoken(cache))

    assert one == other == await spoken(cache)


async def test_what_is_always_there_outlives_all_others_and_the_voice() -> None:
    voice = Voice()
    cache = PhraseCache(voice, 60_000, always=[MOMENT])
    await cache.warm_up()
    await cache.warm_up()
    for text in ("a a", "b b", "c c"):
        await spoken(cache, text)
    voice.broken = True

    assert 2 == len(await spoken(cache))
    assert 1 == voice.said.count(MOMENT)


async def test_a_hit_asks_nobody_and_says_so() -> None:
    cache, watch = PhraseCache(Voice(), 10**6), Watching()
    await spoken(cache)
    speech = [chunk async for chunk in cache.synthesise(MOMENT, PLAIN, watch)]

    assert 2 == len(speech)
    assert ["phrase_cache"] == watch.asked


async def test_of_several_voices_only_the_first_is_remembered() -> None:
    first, second, watch = Voice("first"), FakeTts(rate_hz=8_000), Watching()
    cache = PhraseCache(TextToSpeechInOrder([first, second]), 10**6)
    first.broken = True
    assert [chunk async for chunk in cache.synthesise(MOMENT, PLAIN, watch)]

    assert 0 == cache.held_bytes
    assert ["first", second.name] == watch.asked

    first.broken = False
    await spoken(cache)

    assert cache.held_bytes


async def test_a_remembered_phrase_is_said_while_all_voices_are_down_and_no_breaker_counts_it() -> None:
    voice = Voice()
    several = TextToSpeechInOrder([voice])
    cache = PhraseCache(several, 10**6, always=[MOMENT])
    await cache.warm_up()
    voice.broken = True
    for _ in range(5):
        with pytest.raises(Unreachable):
            await spoken(cache, "Not known.")
    ((_, breaker),) = several.breakers
    open_state = breaker.state

    assert 2 == len(await spoken(cache))
    assert open_state == breaker.state != 0


async def test_it_is_the_voice_to_whoever_asks_and_closes_it() -> None:
    voice = Voice()
    cache = PhraseCache(voice, 10**6)
    await spoken(cache)
    await cache.aclose()

    assert ("voice", 8_000) == (cache.name, cache.rate_hz)
    assert voice.closed
    assert 0 == cache.held_bytes
