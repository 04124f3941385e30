"""A caller on a speakerphone, whose line returns the agent's own voice."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import numpy as np
import pytest

from providers.agent.demo import STORY
from providers.api import SpeechOptions
from providers.echo.aec3 import Aec3
from providers.resample import Resampler
from providers.tts.piper import Piper
from providers.vad.silero import Silero
from session.aio.ear import Ear
from session.aio.echo_cancellation import EchoCancellation
from session.events import Heard
from tests.e2e.line import Line, on_the_line
from tests.e2e.speakerphone import Speakerphone
from tests.recordings import TWO_CITIES
from tests.server import ServerHandle

pytestmark = pytest.mark.timeout(180)

QUIET = TWO_CITIES.pcm(from_ms=TWO_CITIES.phrases[0].start_ms - 100, to_ms=TWO_CITIES.phrases[2].end_ms + 300)
BREAKS_IN = (np.frombuffer(QUIET, "<i2").astype(np.int32) * 3).clip(-32_768, 32_767).astype("<i2").tobytes()
"""It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness. As loud
as people speak into a microphone; the recording is 10 dB fainter."""


# --- at the ear, as fast as it goes -------------------------------------------------------------------------------


async def a_story(duration_ms: int) -> bytes:
    """Of the demo's, by the demo's voice, at 16 kHz."""
    piper, pcm = Piper(), b""
    await piper.warm_up()
    converted = Resampler(piper.rate_hz, 16_000)
    for sentence in STORY:
        async for chunk in piper.synthesise(sentence, SpeechOptions()):
            pcm += converted.process(chunk.pcm)
        if len(pcm) >= duration_ms * 32:
            break
    await piper.aclose()
    return pcm[: duration_ms * 32]


async def heard_in(story: bytes, phone: Speakerphone) -> list[Heard]:
    """The windows of a caller who only listens."""
    silero, aec3 = Silero(), Aec3()
    await silero.warm_up()
    heard: list[Heard] = []
    now_ms, done = 10_000, asyncio.Event()

    def hear(window: Heard) -> None:
        heard.append(window)
        if len(heard) == len(story) // 1_024 - 2:
            done.set()

    def fail(_part: str, error: Exception) -> None:
        raise error

    echo = EchoCancellation(aec3, input_rate_hz=16_000, output_rate_hz=16_000, trouble=fail)
    rates = {"input_rate_hz": 16_000, "stt_rate_hz": 16_000}
    ear = Ear(vad=silero, noise=None, clock_ms=lambda: now_ms, post=hear, trouble=fail, echo=echo, **rates)
    running = asyncio.create_task(ear.run())
    for at in range(0, len(story), 640):
        frame = story[at : at + 640]
        echo.sent(frame, now_ms)
        phone.plays(frame)
        now_ms += 20
        await ear.push(phone.returned(640))
        await asyncio.sleep(0)
    await asyncio.wait_for(done.wait(), 30)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    ear.close()
    await silero.aclose()
    await aec3.aclose()
    return heard


async def test_an_echo_of_any_loudness_and_delay_is_no_voice() -> None:
    story = await a_story(12_000)
    voiced = {}
    for delay_ms, below_db in ((60, 10.0), (200, 18.0), (400, 10.0)):
        heard = await heard_in(story, Speakerphone(delay_ms=delay_ms, below_db=below_db))
        voiced[delay_ms, below_db] = sum(window.probability > 0.5 for window in heard)

        assert heard[-1].line_echoes

    assert {(60, 10.0): 0, (200, 18.0): 0, (400, 10.0): 0} == voiced


# --- in calls, as long as they take -------------------------------------------------------------------------------


async def a_call_that_is_broken_into(server: ServerHandle, phone: Speakerphone) -> tuple[str, str, str]:
    """What became of the story until the caller breaks in, and what was understood of them."""
    async with on_the_line(server.ws_url, phone) as line:
        await line.until_message("reply", event="done")
        await line.send("text", text="tell me a story")
        await line.until_message("reply", event="started")
        began_ms = line.now_ms
        await line.until(lambda line: line.now_ms > began_ms + 8_000, 60)
        before = f"{len(line.of('clear'))} clear, {[message['text'] for message in line.of('transcript')][1:]}"
        await line.say(BREAKS_IN)
        await line.until_message("clear", 20)
        broke_in = line.of("clear")
        with suppress(TimeoutError):  # the last of their words may be the one that was misheard
            await line.until(lambda line: "foolish" in said_by(line), 15)
        await line.send("stop")
    return before, f"{len(broke_in)} clear", said_by(line)


def said_by(line: Line) -> str:
    """After the turn that asked for the story: all turns of it, because the caller takes breath between two clauses."""
    return " ".join(message["text"].lower() for message in line.of("transcript", final=True)[1:])


async def test_the_agent_is_not_interrupted_by_its_own_voice(demo_server: ServerHandle) -> None:
    phones = [Speakerphone(delay_ms=200, below_db=10.0), Speakerphone(delay_ms=60, below_db=18.0)]
    calls = await asyncio.gather(*(a_call_that_is_broken_into(demo_server, phone) for phone in phones))

    assert ["0 clear, []"] * 2 == [before for before, _, _ in calls]
    assert ["1 clear"] * 2 == [broken_into for _, broken_into, _ in calls]
    for _, _, said in calls:
        assert np.mean([word in said for word in ("worst", "age", "wisdom", "foolishness")]) >= 0.5
