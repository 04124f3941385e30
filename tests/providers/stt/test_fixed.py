from __future__ import annotations

import asyncio

from providers.api import Transcript
from providers.stt.fixed import Fixed


async def test_the_first_audio_brings_an_interim_and_every_finalise_a_final() -> None:
    stream = Fixed(Fixed.Options(text="good morning")).open(language="en")
    for _ in range(2):
        stream.feed(bytes(640))
    stream.finalise()
    stream.finalise()
    results = aiter(stream)

    assert [
        Transcript("good morning", final=False, language="en"),
        Transcript("good morning", final=True, language="en"),
        Transcript("good morning", final=True, language="en"),
    ] == [await anext(results) for _ in range(3)]


async def test_without_audio_nothing_was_said() -> None:
    stream = Fixed().open()
    stream.feed(b"")
    stream.finalise()

    assert Transcript("", final=True) == await anext(aiter(stream))


async def test_a_delay_holds_the_final_back() -> None:
    stream = Fixed(Fixed.Options(delay_ms=30)).open()
    stream.feed(bytes(640))
    stream.finalise()
    results = aiter(stream)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    await anext(results)
    final = await anext(results)

    assert final.final
    assert loop.time() - began_s >= 0.025


async def test_closing_does_not_wait_for_the_delay() -> None:
    stream = Fixed(Fixed.Options(delay_ms=10_000)).open()
    stream.finalise()
    waiting = asyncio.ensure_future(anext(aiter(stream), None))
    await asyncio.sleep(0)
    await stream.aclose()

    assert await asyncio.wait_for(waiting, 1) is None
