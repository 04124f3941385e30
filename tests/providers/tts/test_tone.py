from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from providers.api import SpeechOptions
from providers.errors import Rejected
from providers.tts.tone import Tone


async def spoken(tone: Tone, text: str = "hello", options: SpeechOptions | None = None) -> NDArray[np.int16]:
    chunks = [chunk async for chunk in tone.synthesise(text, options or SpeechOptions())]
    return np.frombuffer(b"".join(chunk.pcm for chunk in chunks), "<i2")


async def test_it_hums_for_as_long_as_it_is_set_to() -> None:
    assert 16_000 == len(await spoken(Tone()))
    assert 8_000 == len(await spoken(Tone(Tone.Options(duration_ms=1_000, rate_hz=8_000))))


async def test_it_hums_as_high_as_it_is_set_to() -> None:
    hum = (await spoken(Tone(Tone.Options(frequency_hz=600)))).astype(float)

    assert 600 == np.argmax(np.abs(np.fft.rfft(hum)))


async def test_speed_and_volume_are_heeded() -> None:
    plain = await spoken(Tone())
    fast = await spoken(Tone(), options=SpeechOptions(speed=2.0))
    soft = await spoken(Tone(), options=SpeechOptions(volume=0.5))

    assert len(plain) == 2 * len(fast)
    assert 4_096 == pytest.approx(np.abs(soft).max(), abs=10)
    assert 8_192 == pytest.approx(np.abs(plain).max(), abs=10)


async def test_it_begins_and_ends_without_a_click() -> None:
    hum = await spoken(Tone())

    assert (0, 0) == (hum[0], hum[-1])
    assert np.abs(np.diff(hum.astype(int))).max() < 1_500


async def test_it_comes_in_chunks_of_200_ms() -> None:
    tone = Tone(Tone.Options(duration_ms=500))

    assert [6_400, 6_400, 3_200] == [len(c.pcm) async for c in tone.synthesise("x", SpeechOptions())]


@pytest.mark.parametrize("options", [SpeechOptions(speed=0.1), SpeechOptions(volume=2.0)])
async def test_options_of_speech_out_of_range_are_refused(options: SpeechOptions) -> None:
    with pytest.raises(Rejected):
        await spoken(Tone(), options=options)


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(ValidationError):
        Tone.Options(frequency_hz=20_000)
