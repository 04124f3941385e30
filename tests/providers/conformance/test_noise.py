"""What every noise filter does, whoever made it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from providers.api import NoiseFilter
from providers.audio import level_dbfs
from providers.errors import ProviderError
from providers.fakes import FakeNoise
from providers.noise.webrtc import WebRtc
from providers.resample import Resampler
from tests.recordings import BECKETT

FACTORIES: dict[str, Callable[[], NoiseFilter]] = {
    "fake": FakeNoise,
    "webrtc": WebRtc,
}


@pytest.fixture(params=FACTORIES)
async def noise(request: pytest.FixtureRequest, nothing_is_left: None) -> AsyncIterator[NoiseFilter]:
    provider = FACTORIES[request.param]()
    await provider.warm_up()
    yield provider
    await provider.aclose()


def frames(noise: NoiseFilter) -> list[bytes]:
    pcm = Resampler(16_000, noise.rate_hz).process(BECKETT.pcm(to_ms=3_000), last=True)
    size = 2 * noise.frame_samples
    return [pcm[at : at + size] for at in range(0, len(pcm) - size + 1, size)]


async def test_it_says_what_it_is(noise: NoiseFilter) -> None:
    assert noise.name
    assert 0 == noise.rate_hz % 50
    assert 10 <= noise.frame_samples * 1_000 / noise.rate_hz <= 20


async def test_as_much_comes_out_as_went_in_and_speech_is_still_there(noise: NoiseFilter) -> None:
    stream = noise.open()
    before = frames(noise)
    after = [stream.process(frame) for frame in before]
    stream.close()

    assert list(map(len, before)) == list(map(len, after))
    assert level_dbfs(b"".join(before)) == pytest.approx(level_dbfs(b"".join(after)), abs=3.0)


async def test_everything_may_be_closed_twice(noise: NoiseFilter) -> None:
    stream = noise.open()
    stream.close()
    stream.close()
    await noise.aclose()
    await noise.aclose()
    refused: ProviderError | None = None
    try:
        noise.open().close()
    except ProviderError as error:
        refused = error

    assert refused is None or not refused.retryable


async def test_a_frame_of_the_wrong_length_is_refused(nothing_is_left: None) -> None:
    stream = WebRtc().open()
    for frame in (b"", bytes(318), bytes(640)):
        with pytest.raises(ProviderError):
            stream.process(frame)
    stream.close()
    with pytest.raises(ProviderError):
        stream.process(bytes(320))
