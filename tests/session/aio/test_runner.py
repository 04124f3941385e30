"""One inbox, one drain loop, one timer: what the engine asks of the world is done, and what comes back gets to it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from providers.api import AgentRequest, Message
from providers.errors import Malformed, Rejected, Unreachable
from providers.fakes import FakeAgent, FakeEcho, FakeNoise, FakeStt, FakeSttStream, FakeTurnDetector, FakeVad, Utterance
from session import ErrorCode, SessionConfig, SessionState, VoiceSession
from session.aio import runner as module
from session.aio.runner import Runner, agents_told
from session.events import AgentSaid, Typed
from session.notices import Ended, ErrorOccurred, ProviderCalled, ReplyDone, StateChanged, TurnDone, TurnOutcome
from tests.session.aio.stage import ASK, STORY, Witness, a_session, silence, soon, speech

A_MOMENT = silence(256)
"""Enough for a turn detector that is sure, and too little to end a turn without one."""


def runner_of(session: VoiceSession) -> Runner:
    assert session._runner is not None
    return session._runner


# --- the loop ---------------------------------------------------------------------------------------------------


async def test_what_comes_when_the_session_is_over_is_dropped() -> None:
    async with a_session() as session:
        await session.start()
        runner = runner_of(session)
        await session.stop()
        runner.post(Typed("too late"))
        runner.post(AgentSaid(1, "too late"))

        assert SessionState.ENDED is session.state
        assert () == session.history


async def test_a_deadline_comes_in_its_time() -> None:
    config = SessionConfig(agent_timeout="100ms", apology="Sorry.")
    agent = FakeAgent(lambda request: ["Too late."] if request.type == "turn" else [], gate=asyncio.Event().wait)
    session = a_session(agent=agent, config=config, greeting="Hello.")
    witness = Witness(session)
    async with session:
        await session.start()
        begun_s = asyncio.get_running_loop().time()
        await session.process_transcript("hello")
        error = await witness.until(ErrorOccurred)
        took_s = asyncio.get_running_loop().time() - begun_s
        await witness.until(TurnDone)

    assert ErrorCode.AGENT_ERROR is error.code
    assert took_s >= 0.099
    assert ["turn"] == [request.type for request in agent.abandoned]


async def test_there_is_one_timer_and_none_after_the_end() -> None:
    async with a_session() as session:
        await session.start()
        runner = runner_of(session)
        first = runner._timer
        await session.process_transcript("hello")  # no agent: nothing new is due before what was

        assert first is runner._timer is not None

        await session.stop()

        assert None is runner._timer
        assert first.cancelled()


# --- transcription ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raised", "message", "code"),
    [
        (Rejected("is closed", provider="fake"), "fake: is closed", "rejected"),
        (OSError("no socket"), "OSError: no socket", "internal_error"),
    ],
)
async def test_a_recogniser_that_cannot_be_opened_fails_the_turn_and_not_the_session(
    raised: Exception, message: str, code: str
) -> None:
    class Closed(FakeStt):
        def open(self, *, language: str | None = None) -> FakeSttStream:
            raise raised

    session = a_session(stt=Closed())
    witness = Witness(session)
    async with session:
        await session.start()
        for audio in ASK:
            await session.process_audio(audio)
        done = await witness.until(TurnDone)
        error = await witness.until(ErrorOccurred)

        assert TurnOutcome.FAILED is done.outcome
        assert (ErrorCode.STT_ERROR, message) == (error.code, error.message)
        assert [code] == [call.error for call in witness.of(ProviderCalled) if call.kind == "stt"]


@pytest.mark.parametrize("method", ["feed", "finalise"])
async def test_a_stream_that_takes_nothing_more_fails_as_one_that_broke(method: str) -> None:
    def broken(*_: object) -> None:
        raise Unreachable("gone")

    class Breaking(FakeStt):
        def open(self, *, language: str | None = None) -> FakeSttStream:
            stream = super().open(language=language)
            if len(self.streams) == 1:
                setattr(stream, method, broken)
            return stream

    stt = Breaking(["never heard", "what time is it"])
    session = a_session(stt=stt, config=SessionConfig(retry_delay="100ms"))
    witness = Witness(session)
    async with session:
        await session.start()
        for audio in ASK:
            await session.process_audio(audio)
        await witness.until(TurnDone)

        assert (Message("user", "what time is it"),) == session.history[:1]
        assert stt.streams[0].closed
        assert "unreachable" == witness.of(ProviderCalled)[0].error


async def test_a_recogniser_that_breaks_hears_the_whole_utterance_again() -> None:
    stt = FakeStt([Utterance((Unreachable("gone"),)), "what time is it"])
    session = a_session(stt=stt, config=SessionConfig(retry_delay="100ms"))
    witness = Witness(session)
    async with session:
        await session.start()
        for audio in ASK:
            await session.process_audio(audio)
        await witness.until(TurnDone)

        assert (Message("user", "what time is it"),) == session.history[:1]
        assert [True, True] == [stream.fed.startswith(speech(640)) for stream in stt.streams]


async def test_after_the_turn_the_stream_is_closed_and_fed_no_more() -> None:
    stt = FakeStt(["hello"])
    session = a_session(stt=stt)
    witness = Witness(session)
    async with session:
        await session.start()
        for audio in ASK:
            await session.process_audio(audio)
        await witness.until(TurnDone)
        (stream,) = stt.streams
        fed = len(stream.fed)
        await session.process_audio(silence(320))
        await session.stop()

    assert stream.closed
    assert fed == len(stream.fed)


# --- the end of a turn ------------------------------------------------------------------------------------------


class Listening(FakeTurnDetector):
    """One that wants to hear the end of the turn, not only to read it."""

    audio_ms = 100


async def test_the_turn_is_judged_by_its_text_its_audio_and_what_was_said_before() -> None:
    detector = Listening([0.95])
    session = a_session(stt=FakeStt(["what time is it"]), turn_detector=detector, greeting="Hello.")
    witness = Witness(session)
    async with session:
        await session.start()
        await witness.until(ReplyDone)
        await session.process_audio(speech(640) + A_MOMENT)
        await witness.until(TurnDone)
        (turn,) = detector.turns

        assert "what time is it" == turn.text
        assert len(silence(100)) == len(turn.pcm)
        assert (Message("assistant", "Hello."),) == turn.history


# --- the agent --------------------------------------------------------------------------------------------------


async def test_an_answer_that_nobody_wants_any_more_is_abandoned() -> None:
    release = asyncio.Event()
    agent = FakeAgent(lambda request: ["One. ", "Two."] if request.type == "turn" else [], gate=release.wait)
    async with a_session(agent=agent) as session:
        await session.start()
        await session.process_transcript("hello")
        await asyncio.sleep(0)  # it is asked
        await session.interrupt()
        await asyncio.sleep(0)  # it is told

        assert ["turn"] == [request.type for request in agent.abandoned]


@pytest.mark.parametrize("error", [Unreachable("gone"), TimeoutError()])
async def test_an_agent_that_cannot_be_told_is_a_warning(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    told = asyncio.Event()

    class Away(FakeAgent):
        async def notify(self, request: AgentRequest) -> None:
            told.set()
            raise error

    with caplog.at_level(logging.WARNING):
        async with a_session(agent=Away()) as session:
            await session.start()
        await soon(told.wait())

    assert ["WARNING"] == [record.levelname for record in caplog.records]


async def test_nobody_waits_for_an_agent_that_is_slow_to_hear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NOTIFY_LIMIT_S", 0.01)
    session = a_session(agent=FakeAgent(gate=asyncio.Event().wait))
    await session.start()
    await soon(session.stop())
    (telling,) = module._notifications
    await soon(telling)

    assert set() == module._notifications


async def test_whoever_closes_the_agents_can_wait_until_they_were_told() -> None:
    agent = FakeAgent()
    session = a_session(agent=agent)
    await session.start()
    await session.stop()
    await soon(agents_told())

    assert ["session.ended"] == [request.type for request in agent.told]


# --- trouble ----------------------------------------------------------------------------------------------------


class BrokenVad(FakeVad):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def open(self) -> Any:
        return self

    async def detect(self, window: bytes) -> float:
        raise self._error

    def close(self) -> None: ...


async def test_an_echo_canceller_that_fails_is_told_and_the_session_goes_on() -> None:
    session = a_session(echo_cancellation=FakeEcho(error=Malformed("no")))
    witness = Witness(session)
    async with session:
        await session.start()
        await session.say(STORY)
        await witness.until_speaking()
        await session.process_audio(speech(40) + silence(600))
        told = await witness.until(ErrorOccurred)

        assert ErrorOccurred(ErrorCode.INTERNAL_ERROR, "echo: no; it is bypassed", retryable=False, fatal=False) == told
        assert SessionState.SPEAKING is session.state


@pytest.mark.parametrize(
    ("parts", "message", "retryable"),
    [
        ({"noise_cancellation": FakeNoise(error=Malformed("no"))}, "noise: no; it is bypassed", False),
        ({"vad": BrokenVad(Unreachable("gone"))}, "vad: gone; the energy of the signal is used instead", True),
        ({"vad": BrokenVad(ValueError("oops"))}, "vad: oops; the energy of the signal is used instead", False),
    ],
)
async def test_a_part_that_fails_is_told_and_the_session_goes_on(
    parts: dict[str, Any], message: str, *, retryable: bool
) -> None:
    session = a_session(stt=FakeStt(["hello"]), **parts)
    witness = Witness(session)
    async with session:
        await session.start()
        for audio in [silence(640), *ASK]:
            await session.process_audio(audio)
        done = await witness.until(TurnDone)

        assert [ErrorOccurred(ErrorCode.INTERNAL_ERROR, message, retryable, fatal=False)] == witness.of(ErrorOccurred)
        assert TurnOutcome.ANSWERED is done.outcome


class Unopened:
    """Has no stream to give."""

    name = "unopened"
    rate_hz = 16_000
    frame_samples = window_samples = 160
    delay_samples = 0

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def warm_up(self) -> None: ...

    def open(self) -> Any:
        raise self._error

    async def aclose(self) -> None: ...


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("noise_cancellation", "noise: no; it is bypassed"),
        ("vad", "vad: no; the energy of the signal is used instead"),
    ],
)
@pytest.mark.parametrize("error", [OSError("no"), Rejected("no")])
async def test_a_part_that_cannot_be_opened_is_told_once_the_session_has_started(
    part: str, message: str, error: Exception
) -> None:
    session = a_session(**{part: Unopened(error)})
    witness = Witness(session)
    async with session:
        await session.start()
        told = await witness.until(ErrorOccurred)

        assert ErrorOccurred(ErrorCode.INTERNAL_ERROR, message, retryable=False, fatal=False) == told
        assert isinstance(witness.notices[0], StateChanged)
        assert SessionState.LISTENING is session.state


async def test_an_echo_canceller_that_cannot_be_opened_is_told_when_there_is_an_echo() -> None:
    session = a_session(echo_cancellation=Unopened(OSError("no")))
    witness = Witness(session)
    async with session:
        await session.start()
        await session.say(STORY)
        await witness.until_speaking()
        await session.process_audio(speech(40) + silence(600))
        told = await witness.until(ErrorOccurred)

        assert ErrorOccurred(ErrorCode.INTERNAL_ERROR, "echo: no; it is bypassed", retryable=False, fatal=False) == told


async def test_every_call_of_a_provider_is_told() -> None:
    agent = FakeAgent(lambda request: ["Yes."] if request.type == "turn" else [])
    session = a_session(stt=FakeStt(["hello"]), agent=agent, turn_detector=FakeTurnDetector([0.95]))
    witness = Witness(session)
    async with session:
        await session.start()
        await session.process_audio(speech(640) + A_MOMENT)
        await witness.until(TurnDone)

        assert ["agent", "stt", "turn", "agent", "tts"] == [call.kind for call in witness.of(ProviderCalled)]


async def test_the_end_is_told_before_everything_is_freed_and_once() -> None:
    session = a_session()
    witness = Witness(session)
    await session.start()
    await session.stop()

    assert 1 == len(witness.of(Ended))
    assert runner_of(session).ended.done()
