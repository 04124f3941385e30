from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from providers.vad.energy import Energy, EnergyStream
from tests.recordings import BECKETT, ENDGAME, TWO_CITIES, Recording, silence

WINDOW_MS = 20


def noise(duration_ms: int, level_dbfs: float) -> bytes:
    samples = np.random.default_rng(2).standard_normal(16 * duration_ms) * 32768 * 10 ** (level_dbfs / 20)
    return np.rint(samples).astype("<i2").tobytes()


async def probabilities(stream: EnergyStream, pcm: bytes) -> list[float]:
    size = Energy.window_samples * 2
    return [await stream.detect(pcm[at : at + size]) for at in range(0, len(pcm) - size + 1, size)]


@pytest.mark.parametrize("recording", [BECKETT, TWO_CITIES, ENDGAME], ids=lambda recording: str(recording.name))
@pytest.mark.parametrize("divisor", [1, 4])
async def test_every_phrase_is_heard_and_every_pause(recording: Recording, divisor: int) -> None:
    samples = np.frombuffer(recording.pcm(), "<i2") // divisor
    found = np.array(await probabilities(Energy().open(), samples.astype("<i2").tobytes()))

    for number, phrase in enumerate(recording.phrases):
        assert found[phrase.start_ms // WINDOW_MS : phrase.end_ms // WINDOW_MS].max() > 0.9
        if number:
            pause = found[recording.phrases[number - 1].end_ms // WINDOW_MS : phrase.start_ms // WINDOW_MS]
            assert np.median(pause) < 0.5


async def test_digital_silence_is_no_speech() -> None:
    assert max(await probabilities(Energy().open(), silence(500))) < 0.01


async def test_a_hiss_after_digital_silence_is_no_speech() -> None:
    stream = Energy().open()
    await probabilities(stream, silence(4_000))

    assert max(await probabilities(stream, noise(1_000, -62))) < 0.1


async def test_a_steady_noise_is_no_speech_after_three_seconds() -> None:
    stream = Energy().open()
    first = await probabilities(stream, noise(1_000, -20))
    await probabilities(stream, noise(2_100, -20))

    assert min(first) > 0.5
    assert max(await probabilities(stream, noise(1_000, -20))) < 0.5


async def test_speech_in_noise_stands_out_of_it() -> None:
    stream = Energy().open()
    await probabilities(stream, noise(3_100, -50))
    speech = np.frombuffer(BECKETT.phrase(0), "<i2").astype(np.int32)
    mixed = speech + np.frombuffer(noise(2_000, -50), "<i2")[: len(speech)]

    assert max(await probabilities(stream, mixed.astype("<i2").tobytes())) > 0.9


async def test_the_margin_is_an_option() -> None:
    quiet_speech = silence(20) + noise(200, -45)
    strict = Energy(Energy.Options(margin_db=30.0, least_dbfs=-35.0)).open()

    assert max(await probabilities(Energy().open(), quiet_speech)) > 0.9
    assert max(await probabilities(strict, quiet_speech)) < 0.1


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(ValidationError):
        Energy.Options(margin_db=0)
