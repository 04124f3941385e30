"""What every detector of voice activity does, whoever made it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from providers.api import VadStream, VoiceActivity
from providers.errors import ProviderError
from providers.fakes import FakeVad
from providers.resample import Resampler
from providers.vad.energy import Energy
from providers.vad.silero import Silero
from tests.recordings import BECKETT, silence

FACTORIES: dict[str, Callable[[], VoiceActivity]] = {
    "fake": FakeVad,
    "energy": Energy,
    "silero": Silero,
}


@pytest.fixture(params=FACTORIES)
async def vad(request: pytest.FixtureRequest, nothing_is_left: None) -> AsyncIterator[VoiceActivity]:
    provider = FACTORIES[request.param]()
    await provider.warm_up()
    yield provider
    await provider.aclose()


async def probabilities(vad: VoiceActivity, stream: VadStream, pcm: bytes) -> list[float]:
    pcm = Resampler(16_000, vad.rate_hz).process(pcm, last=True)
    size = 2 * vad.window_samples
    return [await stream.detect(pcm[at : at + size]) for at in range(0, len(pcm) - size + 1, size)]


async def test_it_says_what_it_is(vad: VoiceActivity) -> None:
    assert vad.name
    assert 10 <= vad.window_samples * 1_000 / vad.rate_hz <= 64


async def test_speech_is_told_from_silence(vad: VoiceActivity) -> None:
    stream = vad.open()
    quiet = await probabilities(vad, stream, silence(500))
    loud = await probabilities(vad, stream, BECKETT.phrase(1))
    stream.close()

    assert all(0.0 <= probability <= 1.0 for probability in quiet + loud)
    assert max(quiet) < 0.5 < max(loud)


async def test_streams_do_not_know_of_each_other(vad: VoiceActivity) -> None:
    speaking, silent = vad.open(), vad.open()
    of_speech, of_silence = await asyncio.gather(
        probabilities(vad, speaking, BECKETT.phrase(1)), probabilities(vad, silent, silence(1_300))
    )

    assert max(of_silence) < 0.5 < max(of_speech)


async def test_a_caller_who_is_cancelled_leaves_nothing_behind(vad: VoiceActivity) -> None:
    stream = vad.open()
    window = BECKETT.phrase(1)[: 2 * vad.window_samples]
    asking = asyncio.create_task(stream.detect(window))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])

    assert 0.0 <= await stream.detect(window) <= 1.0


async def test_everything_may_be_closed_twice(vad: VoiceActivity) -> None:
    stream = vad.open()
    stream.close()
    stream.close()
    await vad.aclose()
    await vad.aclose()
    refused: ProviderError | None = None
    try:
        vad.open().close()
    except ProviderError as error:
        refused = error

    assert refused is None or not refused.retryable


@pytest.mark.parametrize("name", ["energy", "silero"])
async def test_a_window_of_the_wrong_length_is_refused(name: str, nothing_is_left: None) -> None:
    vad = FACTORIES[name]()
    stream = vad.open()
    for window in (b"", bytes(2 * vad.window_samples - 2), bytes(2 * vad.window_samples + 2)):
        with pytest.raises(ProviderError):
            await stream.detect(window)
    stream.close()
    with pytest.raises(ProviderError):
        await stream.detect(bytes(2 * vad.window_samples))
    await vad.aclose()
