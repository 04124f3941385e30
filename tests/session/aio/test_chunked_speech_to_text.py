"""A recogniser of recordings, given the utterance in chunks while it grows."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from string import ascii_lowercase
from typing import get_args

import pytest

from providers.api import Transcript
from providers.errors import Overloaded, Unreachable
from providers.inference import Priority, shared_worker
from providers.stt import moonshine
from providers.stt.moonshine import Moonshine
from session.aio.chunked_speech_to_text import MOST_AT_ONCE, ChunkedSpeechToText, ChunkedStream, as_speech_to_text
from session.config import Chunking, ChunkStrategy, SessionConfig
from session.notices import TranscriptChanged
from tests.recordings import TWO_CITIES, silence, word_error_rate
from tests.session.aio.stage import Witness, a_session, soon, speech

RATE_HZ = 16_000
WORD_MS = 300
FIRST_LEVEL = 2_000


def said(words: int, first: int = 0) -> bytes:
    """Words that are heard by how loud they are, without a pause."""
    step = RATE_HZ * WORD_MS // 1000
    return b"".join(array("h", [FIRST_LEVEL + 100 * (first + word)]).tobytes() * step for word in range(words))


def names(words: range) -> str:
    """No two of them sound alike."""
    return " ".join("".join(Random(word).choices(ascii_lowercase, k=7)) for word in words)


class Levels:
    """Reads what ``said`` says, where a word is there for the most part; waits for ``gate``."""

    name = "levels"
    rate_hz = RATE_HZ

    def __init__(self) -> None:
        self.asked_ms: list[int] = []
        self.at_once = self.most_at_once = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.closed = False
        self._asked = asyncio.Event()

    async def until_asked(self, times: int) -> None:
        while len(self.asked_ms) < times:
            self._asked.clear()
            await soon(self._asked.wait())

    async def warm_up(self) -> None: ...

    async def transcribe(self, pcm: bytes, *, language: str | None = None) -> Transcript:
        self.asked_ms.append(len(pcm) // 32)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self._asked.set()
        try:
            await self.gate.wait()
        finally:
            self.at_once -= 1
        if self.error:
            raise self.error
        heard: dict[int, int] = {}
        for sample in array("h", pcm)[::160]:
            if sample >= FIRST_LEVEL:
                word = (sample - FIRST_LEVEL) // 100
                heard[word] = heard.get(word, 0) + 10
        whole = [word for word, length_ms in heard.items() if length_ms > WORD_MS // 2]
        text = " ".join(names(range(word, word + 1)) for word in whole)
        return Transcript(text, final=True, confidence=0.9, language=language)

    async def aclose(self) -> None:
        self.closed = True


class Heard:
    def __init__(self, stream: ChunkedStream) -> None:
        self.stream = stream
        self.transcripts: list[Transcript] = []
        self.more = asyncio.Event()

    async def listen(self) -> None:
        async for transcript in self.stream:
            self.transcripts.append(transcript)
            self.more.set()

    async def until(self, count: int, *, final: bool) -> Transcript:
        while len(of := [one for one in self.transcripts if one.final == final]) < count:
            self.more.clear()
            await soon(self.more.wait())
        return of[count - 1]

    async def final(self) -> str:
        count = sum(one.final for one in self.transcripts)
        self.stream.finalise()
        return (await self.until(count + 1, final=True)).text


@asynccontextmanager
async def a_stream(recogniser: Levels, **chunking: object) -> AsyncIterator[Heard]:
    stt = ChunkedSpeechToText(recogniser, Chunking(**chunking))  # type: ignore[arg-type] # by name
    heard = Heard(stt.open(language="en"))
    listening = asyncio.create_task(heard.listen())
    try:
        yield heard
    finally:
        await heard.stream.aclose()
        await soon(listening)


strategies = pytest.mark.parametrize("strategy", get_args(ChunkStrategy))


@strategies
@pytest.mark.parametrize("sizes", [{}, {"size": 320_000, "overlap": 64_000}], ids=["default", "10s"])
async def test_two_minutes_without_a_pause_lose_no_word(strategy: str, sizes: dict[str, int]) -> None:
    recogniser = Levels()
    async with a_stream(recogniser, strategy=strategy, **sizes) as heard:
        for word in range(0, 240, 2):
            heard.stream.feed(said(2, word))
            for _ in range(10):  # it keeps up
                await asyncio.sleep(0)
        final = await heard.final()

    assert names(range(240)) == final
    assert max(recogniser.asked_ms) <= max(5_000, sizes.get("size", 0) // 32)


async def test_a_final_is_asked_for_what_is_still_open_and_not_again_for_silence() -> None:
    recogniser = Levels()
    async with a_stream(recogniser) as heard:
        heard.stream.feed(said(3))
        first = await heard.final()
        heard.stream.feed(silence(200))
        second = await heard.final()
        heard.stream.feed(silence(300) + said(3, 3))  # the pause ends the chunk, which is known by then
        third = await heard.final()

    assert names(range(3)) == first == second
    assert names(range(6)) == third
    assert 2 == len(recogniser.asked_ms)


async def test_where_nothing_was_said_the_final_is_empty_and_nobody_is_asked() -> None:
    recogniser = Levels()
    async with a_stream(recogniser) as heard:
        assert "" == await heard.final()

        heard.stream.feed(silence(3_000))

        assert "" == await heard.final()

    assert [] == recogniser.asked_ms


async def test_each_chunk_is_told_of_as_it_is_transcribed() -> None:
    async with a_stream(Levels()) as heard:
        heard.stream.feed(said(3) + silence(400))
        interim = await heard.until(1, final=False)

    assert Transcript(names(range(3)), final=False, confidence=0.9, language="en") == interim


async def test_one_after_another_is_one_at_a_time() -> None:
    recogniser = Levels()
    async with a_stream(recogniser) as heard:
        for word in range(0, 60, 3):
            heard.stream.feed(said(3, word) + silence(400))
        final = await heard.final()

    assert names(range(60)) == final
    assert 1 == recogniser.most_at_once


async def test_parallel_is_a_few_at_a_time_and_in_order() -> None:
    recogniser = Levels()
    async with a_stream(recogniser, strategy="parallel") as heard:
        recogniser.gate.clear()
        for word in range(0, 60, 3):
            heard.stream.feed(said(3, word) + silence(400))
        await recogniser.until_asked(MOST_AT_ONCE)
        recogniser.gate.set()
        final = await heard.final()

    assert names(range(60)) == final
    assert MOST_AT_ONCE == recogniser.most_at_once


async def test_streaming_tells_what_is_said_while_it_is_said() -> None:
    async with a_stream(Levels(), strategy="streaming") as heard:
        for word in range(6):
            heard.stream.feed(said(1, word))
            await heard.until(word + 1, final=False)

    assert [names(range(word + 1)) for word in range(6)] == [interim.text for interim in heard.transcripts]


async def test_a_final_does_not_wait_for_an_interim() -> None:
    recogniser = Levels()
    async with a_stream(recogniser, strategy="streaming") as heard:
        recogniser.gate.clear()
        heard.stream.feed(said(2))
        await recogniser.until_asked(1)
        heard.stream.finalise()
        await recogniser.until_asked(2)

        assert 1 == recogniser.most_at_once

        recogniser.gate.set()
        await heard.until(1, final=True)

    assert [names(range(2))] == [transcript.text for transcript in heard.transcripts]


async def test_what_the_recogniser_raises_ends_the_iteration() -> None:
    recogniser = Levels()
    recogniser.error = Unreachable("nobody there")
    stream = ChunkedSpeechToText(recogniser, Chunking()).open()
    stream.feed(said(3))
    stream.finalise()

    with pytest.raises(Unreachable, match="nobody there"):
        await anext(aiter(stream))
    await stream.aclose()


async def test_a_recogniser_that_falls_a_minute_behind_is_refused_and_memory_is_bounded() -> None:
    stream = ChunkedSpeechToText(Levels(), Chunking()).open()
    for word in range(0, 900, 3):
        stream.feed(said(3, word % 100) + silence(400))

    assert stream._waiting_bytes < 32 * 62_000
    with pytest.raises(Overloaded, match="levels"):
        await anext(aiter(stream))


async def test_closing_ends_the_iteration_in_mid_work() -> None:
    recogniser = Levels()
    async with a_stream(recogniser) as heard:
        recogniser.gate.clear()
        heard.stream.feed(said(3) + silence(400))
        await recogniser.until_asked(1)

    assert 0 == recogniser.at_once
    assert [] == heard.transcripts


async def test_closing_it_closes_the_recogniser() -> None:
    recogniser = Levels()
    stt = ChunkedSpeechToText(recogniser, Chunking())
    await stt.warm_up()
    await stt.aclose()

    assert recogniser.closed


# --- in a session -----------------------------------------------------------------------------------------------


async def test_a_session_takes_a_function_or_a_recogniser_of_recordings() -> None:
    async def understand(pcm: bytes) -> str:
        return f"{len(pcm) // 3200} tenths"

    def understand_in_a_thread(pcm: bytes) -> str:
        return "ten tenths" if len(pcm) > 16_000 else "less"

    for stt, text in ((understand, "tenths"), (understand_in_a_thread, "ten tenths")):
        async with a_session(stt=stt, config=SessionConfig(auto_start=True)) as session:
            witness = Witness(session)
            await session.process_audio(speech(960) + silence(1_280))
            told = await witness.until(TranscriptChanged)

        assert text in told.text


async def test_what_opens_streams_is_left_as_it_is() -> None:
    stt = Moonshine()

    assert stt is as_speech_to_text(stt, Chunking())


# --- with a real model ------------------------------------------------------------------------------------------


class MoonshineOfRecordings:
    """The model alone, without all that its own streams do."""

    name = "moonshine"
    rate_hz = RATE_HZ

    async def warm_up(self) -> None: ...

    async def transcribe(self, pcm: bytes, *, language: str | None = None) -> Transcript:
        text = await shared_worker().run(lambda: moonshine._model().transcribe(pcm), Priority.FINAL)
        return Transcript(text, final=True, language=language)

    async def aclose(self) -> None: ...


async def until_final(stream: ChunkedStream) -> AsyncIterator[Transcript]:
    async for transcript in stream:
        yield transcript
        if transcript.final:
            return


@strategies
@pytest.mark.parametrize("size", [8_192, 320_000])
async def test_a_real_recogniser_understands_a_recording_in_chunks(strategy: ChunkStrategy, size: int) -> None:
    shared_worker().enter()
    pcm = TWO_CITIES.pcm(to_ms=20_700)
    stt = ChunkedSpeechToText(MoonshineOfRecordings(), Chunking(size=size, overlap=1_024, strategy=strategy))
    stream = stt.open()
    for at in range(0, len(pcm), 16_000):
        stream.feed(pcm[at : at + 16_000])
    stream.finalise()
    said = [transcript.text async for transcript in until_final(stream)]
    await stream.aclose()
    await shared_worker().leave()

    assert word_error_rate(" ".join(phrase.text for phrase in TWO_CITIES.phrases[:9]), said[-1]) <= 0.15
