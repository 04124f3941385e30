from __future__ import annotations

import asyncio

import pytest

from providers.api import Transcript
from providers.fakes import after
from session.testing.voice import MS_PER_WORD, RATE_HZ, Recogniser, RecogniserStream, Voice

WORD_BYTES = RATE_HZ * MS_PER_WORD // 1000 * 2


async def transcripts(stream: RecogniserStream, count: int) -> list[Transcript]:
    results = aiter(stream)
    return [await anext(results) for _ in range(count)]


def a_stream(voice: Voice, language: str | None = None) -> RecogniserStream:
    return Recogniser(voice, after(0)).open(language=language)


async def test_what_was_spoken_is_understood() -> None:
    voice = Voice()
    stream = a_stream(voice, "en")
    stream.feed(bytes(320) + voice.speak("to be or not to be") + bytes(320))
    stream.finalise()
    _, final = await transcripts(stream, 2)

    assert Transcript("to be or not to be", final=True, language="en") == final


async def test_a_word_counts_once_half_of_it_was_heard() -> None:
    voice = Voice()
    pcm = voice.speak("one two")
    stream = a_stream(voice)
    stream.feed(pcm[WORD_BYTES // 2 + 2 : WORD_BYTES])
    stream.feed(pcm[WORD_BYTES : WORD_BYTES * 3 // 2])
    stream.finalise()

    assert ["two", "two"] == [transcript.text for transcript in await transcripts(stream, 2)]


async def test_each_further_word_gives_an_interim() -> None:
    voice = Voice()
    pcm = voice.speak("a b")
    stream = a_stream(voice)
    for at in range(0, len(pcm), 640):
        stream.feed(pcm[at : at + 640])

    assert ["a", "a b"] == [transcript.text for transcript in await transcripts(stream, 2)]


async def test_silence_has_no_words() -> None:
    stream = a_stream(Voice())
    stream.feed(bytes(6_400))
    stream.finalise()

    assert [Transcript("", final=True)] == await transcripts(stream, 1)


async def test_it_ends_when_it_is_closed() -> None:
    stream = a_stream(Voice())
    await stream.aclose()

    assert [] == [transcript async for transcript in stream]


async def test_a_final_waits_for_its_gate() -> None:
    open_it = asyncio.Event()
    stream = Recogniser(Voice(), open_it.wait).open()
    stream.finalise()
    final = asyncio.create_task(transcripts(stream, 1))
    await asyncio.sleep(0)
    assert not final.done()
    open_it.set()

    assert [Transcript("", final=True)] == await final


def test_no_more_is_said_than_can_be_told_apart() -> None:
    with pytest.raises(ValueError, match="no more than 28768 words"):
        Voice().speak("blah " * 28_769)
