"""Callers of any loudness at a session's ear, with the real parts, and what is understood of them."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from providers.audio import level_dbfs
from providers.noise.webrtc import WebRtc
from providers.stt.moonshine import Moonshine
from providers.vad.silero import Silero
from session.aio.ear import Ear
from session.events import Heard
from tests.e2e.at_the_ear import recognised
from tests.recordings import TWO_CITIES, word_error_rate

SPOKEN = " ".join(phrase.text for phrase in TWO_CITIES.phrases[:5])
RECORDED = TWO_CITIES.pcm(from_ms=900, to_ms=TWO_CITIES.phrases[4].end_ms + 400)


def louder(by_db: float) -> bytes:
    samples = np.frombuffer(RECORDED, "<i2") * 10 ** (by_db / 20)
    pcm: bytes = np.rint(samples).clip(-32_768, 32_767).astype("<i2").tobytes()
    return pcm


async def at_an_ear(pcm: bytes) -> tuple[bytes, int]:
    """What whoever transcribes is given, and how many windows were voice."""
    silero, given, windows, done = Silero(), bytearray(), [], asyncio.Event()
    await silero.warm_up()

    def hear(window: Heard) -> None:
        windows.append(window)
        if len(windows) == len(pcm) // 1_024 - 2:
            done.set()

    def fail(_part: str, error: Exception) -> None:
        raise error

    ear = Ear(
        input_rate_hz=16_000,
        stt_rate_hz=16_000,
        vad=silero,
        noise=WebRtc(),
        clock_ms=lambda: 0,
        post=hear,
        trouble=fail,
        automatic_gain=True,
    )
    ear.feed_to(given.extend, again=False)
    running = asyncio.create_task(ear.run())
    await ear.push(pcm)
    await asyncio.wait_for(done.wait(), 60)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    ear.close()
    await silero.aclose()
    return bytes(given), sum(window.probability > 0.5 for window in windows)


@pytest.mark.parametrize("by_db", [-20, -30, 20])
async def test_a_faint_caller_and_one_who_is_clipped_are_understood(by_db: int) -> None:
    given, voiced = await at_an_ear(louder(by_db))
    stt = Moonshine()
    await stt.warm_up()
    text = await recognised(stt, given)
    await stt.aclose()

    assert voiced > 200
    assert word_error_rate(SPOKEN, text) <= 0.15


async def test_noise_is_no_voice_and_is_not_raised() -> None:
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(16_000 * 20))
    pink = np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(len(spectrum)))))
    noise = np.rint(pink / np.sqrt(np.mean(pink**2)) * 32_768 * 10 ** (-50 / 20)).astype("<i2").tobytes()
    given, voiced = await at_an_ear(noise)

    assert 0 == voiced
    assert level_dbfs(given) < -50
