"""The life of a session: made, started, stopped, started again, and nothing left of it."""

from __future__ import annotations

import asyncio
import logging
import threading
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from providers.api import AgentRequest, Message
from providers.errors import Rejected
from providers.fakes import FakeAgent, FakeNoise, FakeStt, FakeVad
from session import ErrorCode, SessionConfig, SessionError, SessionState, VoiceSession
from session.notices import (
    EndReason,
    ReplyDone,
    SpeechStarted,
    StateChanged,
)
from tests.session.aio.stage import (
    STORY,
    Line,
    Witness,
    a_session,
    a_voice,
    refused,
    silence,
    soon,
    speech,
)

LISTENING, ENDED = SessionState.LISTENING, SessionState.ENDED
PROCESSING, SPEAKING = SessionState.PROCESSING, SessionState.SPEAKING


# --- making one -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["stt", "tts"])
def test_without_ears_or_a_voice_there_is_no_session(missing: str) -> None:
    with pytest.raises(SessionError) as error:
        a_session(**{missing: None})

    assert ErrorCode.INVALID_CONFIG is error.value.code
    assert missing == error.value.details["field"]


def test_a_session_has_an_id_of_its_own_or_the_one_it_is_given() -> None:
    first, second = a_session(), a_session()

    assert uuid.UUID(first.session_id) != uuid.UUID(second.session_id)
    assert "mine" == a_session(config=SessionConfig(session_id="mine")).session_id


def test_a_session_that_was_only_made_is_initial_and_holds_nothing() -> None:
    stt, vad = FakeStt(), FakeVad()
    session = a_session(stt=stt, vad=vad)

    assert SessionState.INITIAL is session.state
    assert () == session.history
    assert ([], 0) == (stt.streams, vad.opened)


# --- starting and stopping --------------------------------------------------------------------------------------


async def test_start_and_stop() -> None:
    session = a_session()
    await session.start()

    assert LISTENING is session.state

    await session.stop()

    assert ENDED is session.state


async def test_starting_twice_is_an_error_and_changes_nothing() -> None:
    async with a_session() as session:
        await session.start()

        assert ErrorCode.SESSION_ALREADY_ACTIVE is (await refused(session.start())).code
        assert LISTENING is session.state


async def test_stopping_twice_is_an_error() -> None:
    session = a_session()
    await session.start()
    await session.stop()

    assert ErrorCode.SESSION_NOT_ACTIVE is (await refused(session.stop())).code
    assert ENDED is session.state


async def test_of_two_stops_at_once_one_is_an_error() -> None:
    session = a_session()
    await session.start()
    results = await asyncio.gather(session.stop(), session.stop(), return_exceptions=True)

    assert [ErrorCode.SESSION_NOT_ACTIVE] == [result.code for result in results if isinstance(result, SessionError)]


CALLS: dict[str, Callable[[VoiceSession], Awaitable[object]]] = {
    "stop": lambda session: session.stop(),
    "process_audio": lambda session: session.process_audio(silence(20)),
    "process_transcript": lambda session: session.process_transcript("hello"),
    "say": lambda session: session.say("Hello."),
    "interrupt": lambda session: session.interrupt(),
    "dtmf": lambda session: session.dtmf("5"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_nothing_can_be_asked_of_a_session_that_is_not_active(
    call: Callable[[VoiceSession], Awaitable[object]],
) -> None:
    session = a_session()

    assert ErrorCode.SESSION_NOT_ACTIVE is (await refused(call(session))).code
    assert SessionState.INITIAL is session.state

    await session.start()
    await session.stop()

    assert ErrorCode.SESSION_NOT_ACTIVE is (await refused(call(session))).code
    assert ENDED is session.state


async def test_nobody_can_wait_for_the_end_of_what_never_began() -> None:
    assert ErrorCode.SESSION_NOT_ACTIVE is (await refused(a_session().wait_ended())).code


async def test_whoever_waits_for_the_end_is_told_the_reason() -> None:
    async with a_session() as session:
        await session.start()
        waiting = asyncio.create_task(session.wait_ended())
        await session.stop(EndReason.SERVER_SHUTDOWN)

        assert EndReason.SERVER_SHUTDOWN is await soon(waiting)


async def test_a_session_that_was_stopped_can_be_started_again_and_works() -> None:
    session = a_session()
    for _ in range(3):
        await session.start()
        handle = await session.say("Hello.")
        await soon(handle.wait_for_playout())

        assert "Hello." == handle.heard_text
        assert (Message("assistant", "Hello."),) == session.history

        await session.stop()


async def test_starting_while_it_still_stops_waits_for_that() -> None:
    async with a_session() as session:
        await session.start()
        await asyncio.gather(session.stop(), session.start())

        assert LISTENING is session.state


async def test_leaving_the_context_stops_it_whatever_its_state() -> None:
    async with a_session() as never_started:
        pass
    async with a_session() as stopped:
        await stopped.start()
        await stopped.stop()
    async with a_session() as running:
        await running.start()

    assert [SessionState.INITIAL, ENDED, ENDED] == [session.state for session in (never_started, stopped, running)]


async def test_auto_start_starts_within_the_context() -> None:
    async with a_session(config=SessionConfig(auto_start=True)) as session:
        assert LISTENING is session.state


async def test_a_greeting_is_the_first_thing_that_is_heard() -> None:
    async with a_session(greeting="Hello!") as session:
        witness = Witness(session)
        await session.start()
        done = await witness.until(ReplyDone)

        assert "Hello!" == done.heard_text


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError("no device"), "OSError: no device"),
        (Rejected("no", provider="own"), "own: no"),
    ],
)
async def test_what_keeps_it_from_starting_is_an_error_of_the_session_and_leaves_nothing(
    error: Exception, message: str
) -> None:
    class Careless(FakeStt):
        broken = False

        @property
        def rate_hz(self) -> int:
            if self.broken:
                raise error
            return 16_000

        @rate_hz.setter
        def rate_hz(self, _: int) -> None: ...

    stt, noise = Careless(), FakeNoise()
    before = asyncio.all_tasks()
    session = a_session(stt=stt, noise_cancellation=noise)
    stt.broken = True
    raised = await refused(session.start())

    assert (ErrorCode.INTERNAL_ERROR, message, error) == (raised.code, raised.message, raised.cause)
    assert (SessionState.INITIAL, before) == (session.state, asyncio.all_tasks())

    stt.broken = False
    await session.start()

    assert LISTENING is session.state

    await session.stop()


# --- everything is freed ----------------------------------------------------------------------------------------


async def test_after_a_stop_nothing_is_left_of_it() -> None:
    """In the middle of everything: speech that is transcribed, an agent that is asked, a text that waits."""

    class Thinking(FakeAgent):
        async def notify(self, request: AgentRequest) -> None: ...

    stt, tts, line = FakeStt(["so"]), a_voice(), Line()
    agent = Thinking(lambda request: ["Well, "], gate=asyncio.Event().wait)
    before = asyncio.all_tasks(), set(threading.enumerate())
    session = a_session(stt=stt, tts=tts, agent=agent, transport=line, noise_cancellation=FakeNoise())
    witness = Witness(session)
    await session.start()
    await session.process_transcript("hello")
    handle = await session.say(STORY)
    await session.process_audio(speech(640))
    await session.process_audio(speech(640))
    await witness.until(SpeechStarted)
    await session.stop()

    assert before == (asyncio.all_tasks(), set(threading.enumerate()))
    assert [True] == [stream.closed for stream in stt.streams]
    assert 1 == line.closed
    assert handle.done
    assert ["turn"] == [request.type for request in agent.abandoned if request.type == "turn"]
    assert [StateChanged(ENDED, witness.of(StateChanged)[-1].previous)] == witness.of(StateChanged)[-1:]


async def test_a_reply_that_is_playing_when_it_is_stopped_is_cut() -> None:
    line = Line()
    session = a_session(transport=line)
    witness = Witness(session)
    await session.start()
    handle = await session.say(STORY)
    await witness.until_speaking()
    sent = len(line.frames)
    await session.stop()

    assert (True, True) == (handle.done, handle.interrupted)
    assert STORY.startswith(handle.heard_text)
    assert sent == len(line.frames)
    assert 1 == line.cleared


async def test_audio_that_waits_to_be_looked_at_does_not_keep_it_from_stopping() -> None:
    class Stuck(FakeVad):
        def open(self) -> Any:
            return self

        async def detect(self, window: bytes) -> float:
            return float(await asyncio.Event().wait())

        def close(self) -> None: ...

    session = a_session(vad=Stuck())
    await session.start()
    pushing = asyncio.create_task(session.process_audio(silence(10_000)))
    await asyncio.sleep(0)
    await soon(session.stop())
    await soon(pushing)

    assert ENDED is session.state


async def test_a_transport_that_raises_when_it_is_closed_is_closed_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Careless(Line):
        async def aclose(self) -> None:
            raise ValueError("no")

    session = a_session(transport=Careless())
    await session.start()
    with caplog.at_level(logging.ERROR):
        await session.stop()

    assert ENDED is session.state
    assert 1 == len(caplog.records)
