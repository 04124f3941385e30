"""Somebody speaks for more than a minute, in a session with the real recogniser."""

from __future__ import annotations

import asyncio

import pytest

from providers.stt.moonshine import Moonshine
from providers.vad.silero import Silero
from session.aio.voice_session import VoiceSession
from session.config import SessionConfig
from session.engine import Engine
from session.notices import TranscriptChanged, TurnDone
from tests.recordings import TWO_CITIES, breathless, plain, silence, word_error_rate
from tests.session.aio.stage import Witness, a_voice

STEP_BYTES = 32 * 100


async def keep_up(stt: Moonshine) -> None:
    """Let the recogniser do what it has to: audio comes faster than it is spoken."""
    await asyncio.sleep(0)
    for stream in tuple(stt._streams):
        while (job := stream._job) is not None:
            await asyncio.wait([job._done])
            await asyncio.sleep(0)


@pytest.mark.timeout(240)
async def test_what_is_said_for_longer_than_an_utterance_may_last_is_understood_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("session.listening.AUDIO_GAP_MS", 60_000)  # the recogniser's time is not the caller's
    stt, vad = Moonshine(), Silero()
    await stt.warm_up()
    await vad.warm_up()
    said = breathless(TWO_CITIES) * 3 + silence(1_500)
    config = SessionConfig(max_utterance="20s", auto_start=True)
    async with VoiceSession(stt=stt, tts=a_voice(), vad=vad, config=config) as session:
        witness, engine = Witness(session), session._engine
        assert isinstance(engine, Engine)
        for at in range(0, len(said), STEP_BYTES):
            await session.process_audio(said[at : at + STEP_BYTES])
            await keep_up(stt)
        async with asyncio.timeout(20):
            while engine._listener.turn is not None or len(witness.of(TurnDone)) < 4:
                await keep_up(stt)
        finals = [told.text for told in witness.of(TranscriptChanged) if told.final]
    await stt.aclose()
    await vad.aclose()
    heard, words = " ".join(finals), " ".join([TWO_CITIES.text] * 3)

    assert len(finals) >= 4
    # A word that a turn's end has cut in two may be heard twice, or differently: six words a joint at most.
    assert word_error_rate(words, heard) <= 0.2
    assert abs(len(plain(heard).split()) - len(plain(words).split())) <= 6 * (len(finals) - 1)
