"""What every recogniser does, whoever made it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import pytest

from providers.api import SpeechToText, SttStream, Transcript
from providers.errors import ProviderError
from providers.fakes import FakeStt
from providers.resample import Resampler
from providers.stt.fixed import Fixed
from providers.stt.moonshine import Moonshine
from tests.recordings import ENDGAME

FACTORIES: dict[str, Callable[[], SpeechToText]] = {
    "fake": lambda: FakeStt(["do you hear me"]),
    "fixed": Fixed,
    "moonshine": Moonshine,
}


@pytest.fixture(params=FACTORIES)
async def stt(request: pytest.FixtureRequest, nothing_is_left: None) -> AsyncIterator[SpeechToText]:
    provider = FACTORIES[request.param]()
    await provider.warm_up()
    yield provider
    await provider.aclose()


def speech(stt: SpeechToText) -> bytes:
    return Resampler(16_000, stt.rate_hz).process(ENDGAME.phrase(0), last=True)


async def finals(stream: SttStream, count: int) -> list[Transcript]:
    found: list[Transcript] = []
    async for transcript in stream:
        if transcript.final:
            found.append(transcript)
            if len(found) == count:
                break
    return found


async def test_it_says_what_it_is(stt: SpeechToText) -> None:
    assert stt.name
    assert 8_000 <= stt.rate_hz <= 48_000


async def test_speech_becomes_text(stt: SpeechToText) -> None:
    stream = stt.open(language="en")
    stream.feed(speech(stt))
    stream.finalise()
    (final,) = await finals(stream, 1)
    await stream.aclose()

    assert final.text
    assert final.text == final.text.strip()


async def test_each_finalise_has_exactly_one_final(stt: SpeechToText) -> None:
    stream = stt.open()
    stream.feed(speech(stt))
    stream.finalise()
    stream.finalise()
    stream.feed(speech(stt))
    stream.finalise()
    results: list[Transcript] = []
    third = asyncio.Event()

    async def listen() -> None:
        async for transcript in stream:
            results.append(transcript)
            if sum(result.final for result in results) == 3:
                third.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(listen())
        await asyncio.wait_for(third.wait(), 20)
        # A fourth would come no later than the first of another stream.
        other = stt.open()
        other.feed(speech(stt))
        other.finalise()
        await finals(other, 1)
        await other.aclose()
        await stream.aclose()

    assert 3 == sum(transcript.final for transcript in results)
    assert results[-1].final


@pytest.mark.parametrize("empty", [(), (b"",)])
async def test_no_audio_is_an_utterance_too(stt: SpeechToText, empty: tuple[bytes, ...]) -> None:
    stream = stt.open()
    for pcm in empty:
        stream.feed(pcm)
    stream.finalise()
    (final,) = await finals(stream, 1)
    await stream.aclose()

    assert final.final


async def test_audio_comes_in_pieces_of_any_length(stt: SpeechToText) -> None:
    stream = stt.open()
    pcm = speech(stt)
    for at in range(0, len(pcm), 77):
        stream.feed(pcm[at : at + 77])
    stream.finalise()

    assert 1 == len(await finals(stream, 1))

    await stream.aclose()


async def test_closing_ends_the_iteration(stt: SpeechToText) -> None:
    stream = stt.open()
    waiting = asyncio.create_task(finals(stream, 1))
    await asyncio.sleep(0)
    await stream.aclose()

    assert [] == await asyncio.wait_for(waiting, 1)


async def test_closing_drops_what_is_pending(stt: SpeechToText) -> None:
    stream = stt.open()
    stream.feed(speech(stt))
    stream.finalise()
    waiting = asyncio.create_task(finals(stream, 2))
    await asyncio.sleep(0)
    await stream.aclose()

    assert len(await asyncio.wait_for(waiting, 1)) <= 1


async def test_a_listener_that_is_cancelled_leaves_nothing_behind(stt: SpeechToText) -> None:
    stream = stt.open()
    stream.feed(speech(stt))
    stream.finalise()
    waiting = asyncio.create_task(finals(stream, 5))
    await asyncio.sleep(0)
    waiting.cancel()

    with suppress(asyncio.CancelledError):
        await waiting
    await stream.aclose()

    assert waiting.cancelled()


async def test_everything_may_be_closed_twice_and_used_after_in_vain(stt: SpeechToText) -> None:
    stream = stt.open()
    await stream.aclose()
    await stream.aclose()
    stream.feed(speech(stt))
    stream.finalise()

    assert [] == await asyncio.wait_for(finals(stream, 1), 1)

    await stt.aclose()
    await stt.aclose()


async def test_streams_do_not_know_of_each_other(stt: SpeechToText) -> None:
    spoken, silent = stt.open(), stt.open()
    spoken.feed(speech(stt))
    for stream in (spoken, silent):
        stream.finalise()
    (of_silent,), (of_spoken,) = await asyncio.gather(finals(silent, 1), finals(spoken, 1))
    await spoken.aclose()
    await silent.aclose()

    assert of_spoken.text
    assert "" == of_silent.text


async def test_a_closed_provider_opens_nothing_or_says_so(stt: SpeechToText) -> None:
    await stt.aclose()
    refused: ProviderError | None = None
    try:
        await stt.open().aclose()
    except ProviderError as error:
        refused = error

    assert refused is None or not refused.retryable
