"""A session's ear on a line that echoes, with the real parts, and faster than life."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from providers.agent.demo import STORY
from providers.api import SpeechOptions, SpeechToText
from providers.echo.aec3 import Aec3
from providers.noise.webrtc import WebRtc
from providers.resample import Resampler
from providers.tts.piper import Piper
from providers.vad.silero import Silero
from session.aio.ear import Ear
from session.aio.echo_cancellation import EchoCancellation
from session.events import Heard
from tests.e2e.speakerphone import Speakerphone

__all__ = ("Overheard", "a_story", "overhear", "recognised")

FRAME_BYTES = 640


@dataclass(frozen=True, slots=True)
class Overheard:
    windows: tuple[Heard, ...]
    speech: bytes
    """What whoever transcribes was given, from the first sound on."""
    echo_found: bool

    def longest_voice_ms(self) -> int:
        """As a sound alone: where a moment of our own voice may come through, a session waits for words."""
        longest = voiced = 0
        for window in self.windows:
            voiced = voiced + window.span_ms if window.probability > 0.5 and not window.line_echoes else 0
            longest = max(longest, voiced)
        return longest


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


async def overhear(story: bytes, *phones: Speakerphone, caller: bytes = b"") -> Overheard:
    """All of the story, over each of the phones for the same time. ``caller``: what is said into them, from the
    beginning."""
    silero, aec3 = Silero(), Aec3()
    await silero.warm_up()
    windows: list[Heard] = []
    speech = bytearray()
    now_ms, more = 10_000, asyncio.Event()

    def hear(window: Heard) -> None:
        windows.append(window)
        more.set()

    def fail(_part: str, error: Exception) -> None:
        raise error

    echo = EchoCancellation(aec3, input_rate_hz=16_000, output_rate_hz=16_000, trouble=fail)
    ear = Ear(
        input_rate_hz=16_000,
        stt_rate_hz=16_000,
        vad=silero,
        noise=WebRtc(),
        clock_ms=lambda: now_ms,
        post=hear,
        trouble=fail,
        echo=echo,
    )
    ear.feed_to(speech.extend, again=False)
    running = asyncio.create_task(ear.run())
    for at in range(0, len(story), FRAME_BYTES):
        frame = story[at : at + FRAME_BYTES]
        echo.sent(frame, now_ms)
        phone = phones[at * len(phones) // len(story)]
        phone.plays(frame)
        now_ms += 20
        await ear.push(phone.mixed(caller[at : at + FRAME_BYTES].ljust(FRAME_BYTES, b"\0")))
        while len(windows) < (at // FRAME_BYTES * 20 - 100) // 32:  # as in life, nothing waits to be looked at
            more.clear()
            await asyncio.wait_for(more.wait(), 30)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    ear.close()
    await silero.aclose()
    await aec3.aclose()
    return Overheard(tuple(windows), bytes(speech), echo.found is True)


async def recognised(stt: SpeechToText, pcm: bytes) -> str:
    stream = stt.open()
    try:
        stream.feed(pcm)
        stream.finalise()
        async for transcript in stream:
            if transcript.final:
                return transcript.text
    finally:
        await stream.aclose()
    raise AssertionError
