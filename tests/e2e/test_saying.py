"""``say`` with a real voice: what is asked for can be heard."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from providers.audio import sample_count
from providers.fakes import FakeStt
from providers.tts.piper import Piper
from session import ErrorCode, SayOptions, SessionError, SessionState, VoiceSession
from session.notices import ErrorOccurred, Notice

TEXT = "Good morning, how are you?"


async def said(voice: Piper, *options: SayOptions) -> list[np.ndarray[tuple[int], np.dtype[np.int32]]]:
    """Each in a session of its own, one after another."""

    async def one(how: SayOptions) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        async with VoiceSession(stt=FakeStt(), tts=voice) as session:
            await session.start()
            frames: list[bytes] = []

            async def listen() -> None:
                async for frame in session.output():
                    frames.append(frame)  # noqa: PERF401 - kept as they come, for the listener is cancelled

            listening = asyncio.create_task(listen())
            handle = await session.say(TEXT, how)
            await handle.wait_for_playout()
            assert (TEXT, False) == (handle.heard_text, handle.interrupted)
            listening.cancel()
        return np.frombuffer(b"".join(frames), "<i2").astype(np.int32)

    return [await one(how) for how in options]


async def test_speed_changes_the_length_and_volume_the_level(voice: Piper) -> None:
    plain, fast, slow, soft = await said(
        voice, SayOptions(), SayOptions(speed=2.0), SayOptions(speed=0.5), SayOptions(volume=0.25)
    )

    assert len(fast) < 0.75 * len(plain) < len(plain) < 0.75 * len(slow)
    assert 0.25 == pytest.approx(np.abs(soft).max() / np.abs(plain).max(), abs=0.02)


async def test_a_voice_that_does_not_exist_is_an_error_and_the_next_text_is_said(voice: Piper) -> None:
    notices: list[Notice] = []
    async with VoiceSession(stt=FakeStt(), tts=voice) as session:
        session.subscribe(notices.append)
        await session.start()
        unknown = await session.say(TEXT, SayOptions(voice="amy"))
        await unknown.wait_for_playout()
        next_one = await session.say("Yes.")
        await next_one.wait_for_playout()

        assert ("", "Yes.") == (unknown.heard_text, next_one.heard_text)
        assert SessionState.LISTENING is session.state
    (error,) = [notice for notice in notices if isinstance(notice, ErrorOccurred)]
    assert ErrorCode.TTS_ERROR == error.code
    assert "there is no voice 'amy', there are joe" in error.message


async def test_what_was_heard_of_an_interrupted_text_is_told_to_the_word(voice: Piper) -> None:
    async with VoiceSession(stt=FakeStt(), tts=voice) as session:
        await session.start()
        handle = await session.say(
            "One two three four five six seven eight nine ten.", SayOptions(allow_interruptions=False)
        )
        frames = session.output()
        heard = 0
        while heard < 1.2 * session.output_rate_hz:
            heard += sample_count(await anext(frames))
        await handle.cancel()
        await handle.cancel()
        await handle.wait_for_playout()

    assert handle.interrupted
    assert "One two three four five six seven eight nine ten.".startswith(handle.heard_text)
    assert 2 <= len(handle.heard_text.split()) <= 5


async def test_while_it_speaks_the_next_text_waits(voice: Piper) -> None:
    async with VoiceSession(stt=FakeStt(), tts=voice) as session:
        await session.start()
        handles = [await session.say(text) for text in ("One.", "Two.", "Three.")]
        assert not handles[0].done
        await asyncio.gather(*(handle.wait_for_playout() for handle in handles))

        with pytest.raises(SessionError, match="invalid_input"):
            await session.say(" ")

    assert ["One.", "Two.", "Three."] == [handle.heard_text for handle in handles]
