"""The turns of a session: spoken, typed and pressed, and the agents that answer them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from providers.api import AgentAction, AgentRequest, Message
from providers.fakes import FakeAgent, FakeStt
from session import ErrorCode, FrameCounts, SessionConfig, SessionState
from session.notices import (
    EndReason,
    ReplyDone,
    ReplyPaused,
    StateChanged,
    TranscriptChanged,
    TurnDone,
    TurnOutcome,
)
from tests.session.aio.stage import ASK, STORY, Line, Witness, a_session, refused, silence, soon, speech

LISTENING, ENDED = SessionState.LISTENING, SessionState.ENDED
PROCESSING, SPEAKING = SessionState.PROCESSING, SessionState.SPEAKING


async def test_what_the_caller_says_is_answered_and_heard() -> None:
    agent = FakeAgent(lambda request: ["It is ", "five."] if request.type == "turn" else [])
    session = a_session(stt=FakeStt(["what time is it"]), agent=agent, metadata={"plan": "free"})
    witness = Witness(session)
    async with session:
        await session.start()
        for audio in ASK:
            await session.process_audio(audio)
        await witness.until(TurnDone)
        asked = agent.asked[-1]

        assert ("turn", "what time is it", session.session_id) == (asked.type, asked.transcript, asked.session_id)
        assert {"plan": "free"} == asked.metadata
        assert [LISTENING, PROCESSING, SPEAKING, LISTENING] == [change.state for change in witness.of(StateChanged)]
        assert (Message("user", "what time is it"), Message("assistant", "It is five.")) == session.history


@pytest.mark.parametrize("cut", [7, 333, 640, 9_999])
async def test_audio_may_come_in_pieces_of_any_length(cut: int) -> None:
    stt = FakeStt(["hello"])
    session = a_session(stt=stt)
    witness = Witness(session)
    async with session:
        await session.start()
        said = speech(96) + silence(640)
        for at in range(0, len(said), cut):
            await session.process_audio(said[at : at + cut])
        await witness.until(TurnDone)

        assert stt.streams[0].fed.startswith(speech(96))


async def test_no_audio_is_allowed() -> None:
    async with a_session() as session:
        await session.start()
        await session.process_audio(b"")

        assert LISTENING is session.state


async def test_the_language_is_told_to_the_recogniser_and_to_the_agent() -> None:
    agent = FakeAgent()
    session = a_session(stt=FakeStt(["bonjour"]), agent=agent, language="fr")
    witness = Witness(session)
    async with session:
        await session.start()
        for audio in ASK:
            await session.process_audio(audio)
        heard = await witness.until(TranscriptChanged)
        await witness.until(TurnDone)

        assert "fr" == heard.language
        assert {"fr"} == {request.language for request in agent.asked}


async def test_without_a_voice_activity_the_energy_of_the_signal_decides() -> None:
    session = a_session(stt=FakeStt(["hello"]), vad=None)
    witness = Witness(session)
    async with session:
        await session.start()
        for audio in ASK:
            await session.process_audio(audio)
        done = await witness.until(TurnDone)

        assert TurnOutcome.ANSWERED is done.outcome


async def test_frames_are_counted_where_several_sessions_count_them() -> None:
    frames = FrameCounts()
    async with a_session(frames=frames) as one, a_session(frames=frames) as other:
        for session in (one, other):
            await session.start()
            await session.process_audio(silence(20))
            await soon((await session.say("Ten chars.")).wait_for_playout())

    assert (2, 2) == (frames.received, frames.sent)


# --- typed turns, keys, commands --------------------------------------------------------------------------------


async def test_a_typed_turn_is_a_turn() -> None:
    session = a_session(agent=FakeAgent(lambda request: [f"You wrote {request.transcript}."]))
    witness = Witness(session)
    async with session:
        await session.start()
        await session.process_transcript(" hello ")
        await witness.until(TurnDone)

        assert (Message("user", "hello"), Message("assistant", "You wrote hello.")) == session.history


async def test_an_empty_typed_turn_is_invalid_input() -> None:
    async with a_session() as session:
        await session.start()

        assert ErrorCode.INVALID_INPUT is (await refused(session.process_transcript(" "))).code


async def test_a_key_is_told_to_the_agent() -> None:
    agent = FakeAgent()
    session = a_session(agent=agent)
    witness = Witness(session)
    async with session:
        await session.start()
        await session.dtmf("5")
        await witness.until(TurnDone)

        assert [("dtmf", "5")] == [(request.type, request.digits) for request in agent.asked if request.digits]


async def test_interrupting_cuts_the_reply_and_drops_what_waits() -> None:
    session = a_session()
    witness = Witness(session)
    async with session:
        await session.start()
        handles = [await session.say(text) for text in (STORY, "Later.")]
        await witness.until_speaking()
        await session.interrupt()
        for handle in handles:
            await soon(handle.wait_for_playout())

        assert [True, True] == [handle.interrupted for handle in handles]
        assert "" == handles[1].heard_text
        assert LISTENING is session.state


async def test_speech_pauses_the_reply_and_words_take_the_floor() -> None:
    line = Line()
    session = a_session(stt=FakeStt(["stop it please"]), transport=line)
    witness = Witness(session)
    async with session:
        await session.start()
        handle = await session.say(STORY)
        await witness.until_speaking()
        await session.process_audio(speech(640))
        await witness.until(ReplyPaused)
        sent = len(line.frames)

        assert not handle.done

        await session.process_audio(silence(256))
        await soon(handle.wait_for_playout())

        assert handle.interrupted
        assert sent == len(line.frames)
        assert 1 == line.cleared


async def test_an_agent_that_hangs_up_ends_the_session_when_its_last_word_was_heard() -> None:
    agent = FakeAgent(lambda request: ["Goodbye.", AgentAction("hangup")] if request.type == "turn" else [])
    session = a_session(agent=agent)
    witness = Witness(session)
    async with session:
        await session.start()
        await session.process_transcript("bye")

        assert EndReason.AGENT is await soon(session.wait_ended())
        assert "Goodbye." == witness.of(ReplyDone)[0].heard_text

    told = agent.told[-1]

    assert ("session.ended", "agent") == (told.type, told.reason)


# --- agents -----------------------------------------------------------------------------------------------------


async def an_answer(transcript: str) -> str:
    return f"You said {transcript}."


async def several(transcript: str) -> AsyncIterator[str]:
    yield "You said "
    yield f"{transcript}."


class Answers:
    """An agent of somebody's own, who imports nothing of ours but the values."""

    def __init__(self) -> None:
        self._fake = FakeAgent(lambda request: [f"You said {request.transcript}."] if request.type == "turn" else [])
        self.name = "own"
        self.warm_up, self.ask, self.notify, self.aclose = (
            self._fake.warm_up,
            self._fake.ask,
            self._fake.notify,
            self._fake.aclose,
        )


@pytest.mark.parametrize("agent", [an_answer, several, lambda said: f"You said {said}.", Answers()])
async def test_an_agent_is_a_function_one_that_yields_or_an_object(agent: Any) -> None:
    session = a_session(agent=agent)
    witness = Witness(session)
    async with session:
        await session.start()
        await session.process_transcript("hello")
        await witness.until(TurnDone)

        assert "You said hello." == witness.of(ReplyDone)[0].heard_text


async def test_a_function_that_raises_fails_the_turn_and_not_the_session(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(transcript: str) -> str:
        raise ValueError("no")

    session = a_session(agent=broken, config=SessionConfig(apology="Sorry."))
    witness = Witness(session)
    async with session:
        await session.start()
        with caplog.at_level(logging.CRITICAL):
            await session.process_transcript("hello")
            apology = await witness.until(ReplyDone)

        assert "Sorry." == apology.heard_text
        assert TurnOutcome.FAILED is witness.of(TurnDone)[0].outcome
        assert LISTENING is session.state


async def test_without_an_agent_nothing_answers_and_say_speaks() -> None:
    session = a_session()
    witness = Witness(session)
    async with session:
        await session.start()
        await session.process_transcript("hello")
        handle = await session.say("Hello.")
        await soon(handle.wait_for_playout())

        assert TurnOutcome.ANSWERED is witness.of(TurnDone)[0].outcome
        assert "Hello." == handle.heard_text


async def test_an_agent_hears_what_was_heard_of_an_answer_that_was_interrupted() -> None:
    agent = FakeAgent(lambda request: [STORY] if request.type == "turn" else [])
    session = a_session(agent=agent)
    witness = Witness(session)
    async with session:
        await session.start()
        await session.process_transcript("a story please")
        await witness.until_speaking()
        await session.interrupt()

    interrupted = next(request for request in agent.told if request.type == "turn.interrupted")

    assert STORY.startswith(interrupted.heard_text or "")


async def test_an_agent_that_cannot_be_told_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    told = asyncio.Event()

    class Deaf(FakeAgent):
        async def notify(self, request: AgentRequest) -> None:
            told.set()
            raise ValueError("no")

    with caplog.at_level(logging.ERROR):
        async with a_session(agent=Deaf()) as session:
            await session.start()
        await soon(told.wait())

    assert 1 == len(caplog.records)
