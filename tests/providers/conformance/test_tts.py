"""What every voice does, whoever made it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest

from providers.api import SpeechChunk, SpeechOptions, TextToSpeech
from providers.errors import ProviderError
from providers.fakes import FakeTts
from providers.phrase_cache import PhraseCache
from providers.tts.piper import Piper
from providers.tts.tone import Tone

FACTORIES: dict[str, Callable[[], TextToSpeech]] = {
    "fake": FakeTts,
    "tone": Tone,
    "piper": Piper,
    "phrase cache": lambda: PhraseCache(Piper(), 2**20),
}

TEXT = "This is the first sentence. This is the second one."


@pytest.fixture(params=FACTORIES)
async def tts(request: pytest.FixtureRequest, nothing_is_left: None) -> AsyncIterator[TextToSpeech]:
    provider = FACTORIES[request.param]()
    await provider.warm_up()
    yield provider
    await provider.aclose()


async def spoken(tts: TextToSpeech, text: str, options: SpeechOptions | None = None) -> list[SpeechChunk]:
    return [chunk async for chunk in tts.synthesise(text, options or SpeechOptions())]


def loudest(chunks: list[SpeechChunk]) -> int:
    return int(np.abs(np.frombuffer(b"".join(chunk.pcm for chunk in chunks), "<i2").astype(int)).max())


async def test_it_says_what_it_is(tts: TextToSpeech) -> None:
    assert tts.name
    assert 8_000 <= tts.rate_hz <= 48_000


async def test_text_becomes_whole_samples_of_sound(tts: TextToSpeech) -> None:
    chunks = await spoken(tts, TEXT)

    assert chunks
    assert all(chunk.pcm and len(chunk.pcm) % 2 == 0 for chunk in chunks)
    assert loudest(chunks) > 300


async def test_the_times_of_words_are_in_order_and_within_the_speech(tts: TextToSpeech) -> None:
    chunks = await spoken(tts, TEXT)
    ends = [word.end_sample for chunk in chunks for word in chunk.words]
    samples = sum(len(chunk.pcm) // 2 for chunk in chunks)

    assert sorted(ends) == ends
    assert all(0 < end <= samples for end in ends)


@pytest.mark.parametrize("text", ["", "  \n"])
async def test_nothing_to_say_gives_nothing(tts: TextToSpeech, text: str) -> None:
    assert [] == await spoken(tts, text)


async def test_speed_and_volume_are_heeded(tts: TextToSpeech) -> None:
    plain = await spoken(tts, TEXT)
    fast = await spoken(tts, TEXT, SpeechOptions(speed=2.0))
    soft = await spoken(tts, TEXT, SpeechOptions(volume=0.5))

    assert sum(len(chunk.pcm) for chunk in fast) < 0.8 * sum(len(chunk.pcm) for chunk in plain)
    assert loudest(soft) < 0.7 * loudest(plain)


async def test_closing_the_speech_in_the_middle_stops_it(tts: TextToSpeech) -> None:
    speech = tts.synthesise(TEXT, SpeechOptions())
    await anext(speech)
    await speech.aclose()
    await speech.aclose()

    assert [] == [chunk async for chunk in speech]


async def test_a_listener_that_is_cancelled_leaves_nothing_behind(tts: TextToSpeech) -> None:
    began = asyncio.Event()

    async def listen() -> None:
        async for _ in tts.synthesise(TEXT * 5, SpeechOptions()):
            began.set()
            await asyncio.sleep(0)

    listening = asyncio.create_task(listen())
    await began.wait()
    listening.cancel()
    await asyncio.wait([listening])

    assert listening.cancelled() or listening.done()
    assert await spoken(tts, "Once more.")


async def test_two_texts_may_be_spoken_at_once(tts: TextToSpeech) -> None:
    one, other = await asyncio.gather(spoken(tts, TEXT), spoken(tts, "Hello there."))

    assert one
    assert other


async def test_it_may_be_closed_twice_and_says_nothing_after(tts: TextToSpeech) -> None:
    await tts.aclose()
    await tts.aclose()
    refused: ProviderError | None = None
    try:
        await spoken(tts, TEXT)
    except ProviderError as error:
        refused = error

    assert refused is None or not refused.retryable
