from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import numpy as np
import pytest
from moonshine_voice.errors import MoonshineUnknownError
from pydantic import ValidationError

from providers.api import Transcript
from providers.errors import Malformed, Overloaded, Rejected
from providers.resample import Resampler
from providers.stt import moonshine
from providers.stt.moonshine import Moonshine, MoonshineStream
from tests.recordings import BECKETT, ENDGAME, TWO_CITIES, Recording, breathless, plain, silence, word_error_rate


@pytest.fixture
async def stt() -> AsyncIterator[Moonshine]:
    stt = Moonshine()
    await stt.warm_up()
    yield stt
    await stt.aclose()


def noise(duration_ms: int, peak: int = 200) -> bytes:
    return np.random.default_rng(9).integers(-peak, peak, 16 * duration_ms, np.int16).tobytes()


async def final_of(stream: MoonshineStream) -> str:
    stream.finalise()
    async for transcript in stream:
        if transcript.final:
            return transcript.text
    raise AssertionError


async def recognised(stt: Moonshine, *pieces: bytes) -> str:
    stream = stt.open()
    for piece in pieces:
        stream.feed(piece)
    text = await final_of(stream)
    await stream.aclose()
    return text


class Listener:
    """Iterates over a stream as a session does, and keeps what it is told."""

    def __init__(self, stream: MoonshineStream) -> None:
        self.stream = stream
        self.heard: list[Transcript] = []
        self._news = asyncio.Event()

    async def listen(self) -> None:
        async for transcript in self.stream:
            self.heard.append(transcript)
            self._news.set()

    async def feed(self, pcm: bytes) -> None:
        """In pieces of 20 ms, each after what the one before has set off: as a fast machine would see it."""
        for at in range(0, len(pcm), 640):
            self.stream.feed(pcm[at : at + 640])
            await asyncio.sleep(0)
            while (job := self.stream._job) is not None:
                await asyncio.wait([job._done])
                await asyncio.sleep(0)

    async def final(self) -> str:
        before = sum(transcript.final for transcript in self.heard)
        self.stream.finalise()
        while sum(transcript.final for transcript in self.heard) == before:
            self._news.clear()
            await self._news.wait()
        return self.heard[-1].text


@asynccontextmanager
async def listening(stt: Moonshine) -> AsyncIterator[Listener]:
    listener = Listener(stt.open())
    task = asyncio.create_task(listener.listen())
    yield listener
    await listener.stream.aclose()
    await task


# --- what it understands ------------------------------------------------------------------------------------------


def telephone(pcm: bytes) -> bytes:
    return Resampler(8_000, 16_000).process(Resampler(16_000, 8_000).process(pcm, last=True), last=True)


def twenty_db_quieter(pcm: bytes) -> bytes:
    return (np.frombuffer(pcm, "<i2") / 10).astype("<i2").tobytes()


@pytest.mark.parametrize(
    ("change", "most"), [(bytes, 0.15), (telephone, 0.2), (twenty_db_quieter, 0.15)], ids=["plain", "phone", "quiet"]
)
async def test_two_cities_is_understood_phrase_by_phrase(
    stt: Moonshine, change: Callable[[bytes], bytes], most: float
) -> None:
    phrases = range(len(TWO_CITIES.phrases))
    heard = " ".join([await recognised(stt, change(TWO_CITIES.phrase(number))) for number in phrases])

    assert word_error_rate(TWO_CITIES.text, heard) <= most


@pytest.mark.parametrize(("recording", "most"), [(BECKETT, 0.3), (ENDGAME, 0.2)], ids=["beckett", "endgame"])
async def test_short_sentences_are_understood(stt: Moonshine, recording: Recording, most: float) -> None:
    phrases = range(len(recording.phrases))
    heard = " ".join([await recognised(stt, recording.phrase(number)) for number in phrases])

    assert word_error_rate(recording.text, heard) <= most


async def test_a_turn_longer_than_the_model_is_given_at_once_is_understood_whole(stt: Moonshine) -> None:
    last = TWO_CITIES.phrases[6]
    text = " ".join(phrase.text for phrase in TWO_CITIES.phrases[:7])

    assert word_error_rate(text, await recognised(stt, TWO_CITIES.pcm(to_ms=last.end_ms + 220))) <= 0.1


async def test_who_speaks_without_a_pause_is_understood_across_the_cut(stt: Moonshine) -> None:
    numbers = (0, 9, 14, 16)
    phrases = [TWO_CITIES.phrases[number] for number in numbers]
    breathless = [TWO_CITIES.pcm(from_ms=phrase.start_ms, to_ms=phrase.end_ms) for phrase in phrases]
    text = " ".join(phrase.text for phrase in phrases)

    assert word_error_rate(text, await recognised(stt, *breathless, silence(200))) <= 0.2


async def test_a_long_utterance_without_a_pause_has_no_word_lost_or_doubled_at_its_joints(stt: Moonshine) -> None:
    """What remains are words that the model takes for others, wherever they stand."""
    longest_ms = 0
    said = breathless(TWO_CITIES)
    async with listening(stt) as listener:
        for at in range(0, len(said), 16_000):
            await listener.feed(said[at : at + 16_000])
            longest_ms = max(longest_ms, listener.stream._held.held_ms)
        final = plain(await listener.final()).split()
    words = plain(TWO_CITIES.text).split()

    assert longest_ms < 11_000
    assert word_error_rate(TWO_CITIES.text, " ".join(final)) <= 0.15
    assert abs(len(final) - len(words)) <= 3


@pytest.mark.parametrize("lead", [silence(3_000), noise(3_000), silence(500) + noise(500)])
async def test_leading_silence_never_becomes_a_word(stt: Moonshine, lead: bytes) -> None:
    assert "what are you talking about" == plain(await recognised(stt, lead, ENDGAME.phrase(8)))


async def test_trailing_silence_never_becomes_a_word(stt: Moonshine) -> None:
    assert "do you hear me" == plain(await recognised(stt, ENDGAME.phrase(0), silence(4_000)))


@pytest.mark.parametrize("nothing", [b"", b"\x01", silence(2_000), noise(2_000), noise(2_000, 4_000)])
async def test_where_nobody_speaks_nothing_is_heard(stt: Moonshine, nothing: bytes) -> None:
    assert "" == await recognised(stt, nothing)


async def test_a_breath_is_not_a_word(stt: Moonshine) -> None:
    assert "" == await recognised(stt, TWO_CITIES.pcm(from_ms=42_600, to_ms=43_500))


async def test_a_word_that_breaks_off_is_not_repeated(stt: Moonshine) -> None:
    words = plain(await recognised(stt, BECKETT.pcm(to_ms=2_000))).split()

    assert ["ever", "tried"] == words[:2]
    assert len(words) <= 4


async def test_a_quiet_word_before_loud_ones_is_kept(stt: Moonshine) -> None:
    whispered = (np.frombuffer(ENDGAME.phrase(3), "<i2") / 50).astype("<i2").tobytes()
    async with listening(stt) as listener:
        await listener.feed(whispered)
        first = await listener.final()
        await listener.feed(ENDGAME.phrase(8))
        both = await listener.final()

    assert "yes" == plain(first)
    assert "yes what are you talking about" == plain(both)


# --- how the stream behaves ---------------------------------------------------------------------------------------


async def test_interims_come_while_the_caller_speaks_and_grow(stt: Moonshine) -> None:
    first = TWO_CITIES.phrases[0]
    async with listening(stt) as listener:
        await listener.feed(TWO_CITIES.pcm(from_ms=first.start_ms - 200, to_ms=first.end_ms))
        interims = [transcript.text for transcript in listener.heard]

    assert not any(transcript.final for transcript in listener.heard)
    assert len(interims) >= 4
    assert sorted(map(len, interims)) == list(map(len, interims))
    assert plain(interims[-1]).startswith("it was the best of times")


async def test_the_pause_has_made_the_final_before_it_is_asked_for(stt: Moonshine) -> None:
    async with listening(stt) as listener:
        await listener.feed(ENDGAME.phrase(0))
        made = listener.stream._answered
        final = await listener.final()
        again = await listener.final()
        await listener.feed(noise(400))
        later = await listener.final()

        assert made is not None
        assert made is listener.stream._answered

    assert "do you hear me" == plain(final)
    assert final == again == later


async def test_every_finalise_has_its_final_in_order(stt: Moonshine) -> None:
    async with listening(stt) as listener:
        await listener.final()
        listener.stream.feed(ENDGAME.phrase(0))
        listener.stream.finalise()  # one more is asked for before this one is made
        await listener.final()
        await listener.final()
        finals = [plain(transcript.text) for transcript in listener.heard if transcript.final]

    assert ["", "do you hear me", "do you hear me", "do you hear me"][: len(finals)] == finals
    assert len(finals) >= 3


async def test_a_transcript_covers_the_stream_from_its_first_sample(stt: Moonshine) -> None:
    async with listening(stt) as listener:
        for number in range(4):
            await listener.feed(ENDGAME.phrase(number))
            final = await listener.final()

    assert "do you hear me yes do you hear me yes" == plain(final)


async def test_a_long_turn_is_held_in_part_only(stt: Moonshine) -> None:
    longest_ms = 0
    async with listening(stt) as listener:
        for number in range(8):
            await listener.feed(TWO_CITIES.phrase(number, before_ms=100, after_ms=300))
            longest_ms = max(longest_ms, listener.stream._held.held_ms)
        final = await listener.final()

    assert longest_ms < 9_000
    assert word_error_rate(" ".join(phrase.text for phrase in TWO_CITIES.phrases[:8]), final) <= 0.15


async def test_minutes_of_silence_are_not_held(stt: Moonshine) -> None:
    async with listening(stt) as listener:
        for _ in range(100):
            listener.stream.feed(silence(1_000))
            await asyncio.sleep(0)

        assert listener.stream._held.held_ms <= 1_500
        assert "" == await listener.final()


async def test_a_stream_that_the_model_cannot_follow_is_refused_and_bounded(stt: Moonshine) -> None:
    stream = stt.open()
    for _ in range(10):
        stream.feed(TWO_CITIES.pcm(from_ms=1_200, to_ms=8_000))

    assert stream._held.held_ms < 40_000
    with pytest.raises(Overloaded):
        await final_of(stream)


async def test_closing_ends_the_iteration_in_mid_job(stt: Moonshine) -> None:
    async with listening(stt) as listener:
        listener.stream.feed(BECKETT.pcm())
        listener.stream.finalise()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

        assert listener.stream._job is not None

    assert not any(transcript.final for transcript in listener.heard)


async def test_closing_the_provider_closes_its_streams() -> None:
    stt = Moonshine()
    stream = stt.open()
    await stt.aclose()

    assert [] == [transcript async for transcript in stream]
    with pytest.raises(Rejected):
        stt.open()


async def test_it_understands_english_only(stt: Moonshine) -> None:
    await stt.open(language="en-GB").aclose()

    with pytest.raises(Rejected, match="English"):
        stt.open(language="de")


async def test_a_failure_of_the_model_is_an_error_of_the_provider(
    stt: Moonshine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(code: int) -> None:
        raise MoonshineUnknownError(str(code))

    monkeypatch.setattr(moonshine, "check_error", fail)
    stream = stt.open()
    stream.feed(BECKETT.phrase(0))

    with pytest.raises(Malformed, match="moonshine"):
        await final_of(stream)


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(ValidationError):
        Moonshine.Options(interim_every_ms=0)
