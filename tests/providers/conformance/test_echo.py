"""What every echo canceller does, whoever made it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from providers.api import EchoCanceller
from providers.audio import level_dbfs
from providers.echo.aec3 import Aec3
from providers.errors import ProviderError
from providers.fakes import FakeEcho
from providers.resample import Resampler
from tests.recordings import TWO_CITIES

FACTORIES: dict[str, Callable[[], EchoCanceller]] = {
    "fake": FakeEcho,
    "aec3": Aec3,
}
ECHO_FRAMES = {"fake": 0, "aec3": 10}
"""How much later an echo comes that it finds; the fake finds no other."""


@pytest.fixture(params=FACTORIES)
async def echo(request: pytest.FixtureRequest, nothing_is_left: None) -> AsyncIterator[EchoCanceller]:
    provider = FACTORIES[request.param]()
    await provider.warm_up()
    yield provider
    await provider.aclose()


def frames(echo: EchoCanceller) -> list[bytes]:
    pcm = Resampler(16_000, echo.rate_hz).process(TWO_CITIES.pcm(from_ms=1_000, to_ms=5_000), last=True)
    size = 2 * echo.frame_samples
    return [pcm[at : at + size] for at in range(0, len(pcm) - size + 1, size)]


def cleaned(echo: EchoCanceller, played: list[bytes], heard: list[bytes]) -> list[bytes]:
    stream, clean = echo.open(), []
    for mine, theirs in zip(played, heard, strict=True):
        stream.played(mine)
        clean.append(stream.process(theirs))
    stream.close()
    return clean


async def test_it_says_what_it_is(echo: EchoCanceller) -> None:
    assert echo.name
    assert echo.rate_hz == 100 * echo.frame_samples
    assert 0 <= echo.delay_samples <= echo.frame_samples * 2


async def test_an_echo_is_taken_away(echo: EchoCanceller) -> None:
    said = frames(echo)
    later = ECHO_FRAMES[echo.name]
    returned = [*[bytes(len(said[0]))] * later, *said][: len(said)]
    clean = cleaned(echo, said, returned)

    assert list(map(len, said)) == list(map(len, clean))
    assert level_dbfs(b"".join(clean[-200:])) < level_dbfs(b"".join(returned[-200:])) - 20


async def test_who_speaks_while_nothing_is_played_is_left_alone(echo: EchoCanceller) -> None:
    said = frames(echo)
    clean = cleaned(echo, [bytes(len(frame)) for frame in said], said)

    assert level_dbfs(b"".join(said)) == pytest.approx(level_dbfs(b"".join(clean)), abs=1.5)


async def test_everything_may_be_closed_twice(echo: EchoCanceller) -> None:
    stream = echo.open()
    stream.close()
    stream.close()
    await echo.aclose()
    await echo.aclose()
    refused: ProviderError | None = None
    try:
        echo.open().close()
    except ProviderError as error:
        refused = error

    assert refused is None or not refused.retryable


async def test_a_frame_of_the_wrong_length_is_refused(nothing_is_left: None) -> None:
    stream = Aec3().open()
    for frame in (b"", bytes(318), bytes(640)):
        with pytest.raises(ProviderError):
            stream.played(frame)
        with pytest.raises(ProviderError):
            stream.process(frame)
    stream.close()
    with pytest.raises(ProviderError):
        stream.process(bytes(320))
