"""The public contract of a session, on a real event loop, with the fakes that are shipped."""

from __future__ import annotations

import asyncio
import logging
import threading
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from providers.api import AgentAction, AgentRequest, Message, SpeechOptions
from providers.fakes import FakeAgent, FakeNoise, FakeStt, FakeTts, FakeVad
from session import ErrorCode, FrameCounts, SayOptions, SessionConfig, SessionError, SessionState, VoiceSession
from session.notices import (
    EndReason,
    ReplyDone,
    ReplyStarted,
    StateChanged,
    TranscriptChanged,
    TurnDone,
    TurnOutcome,
)
from tests.session.aio.stage import RATE_HZ, Witness, a_session, a_voice, silence, soon, speech

LISTENING, PROCESSING, SPEAKING, ENDED = (
    SessionState.LISTENING,
    SessionState.PROCESSING,
    SessionState.SPEAKING,
    SessionState.ENDED,
)
STORY = "Once upon a time there was a whale, and it sang. " * 20


async def refused(action: Awaitable[object]) -> SessionError:
    with pytest.raises(SessionError) as error:
        await action
    return error.value


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


# --- everything is freed ----------------------------------------------------------------------------------------


class Line:
    rate_hz = RATE_HZ

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.cleared = self.closed = 0

    def send_audio(self, frame: bytes) -> None:
        self.frames.append(frame)

    def clear(self) -> None:
        self.cleared += 1

    async def aclose(self) -> None:
        self.closed += 1


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
    while not stt.streams:
        await asyncio.sleep(0)
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
    await witness.until(ReplyStarted)
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


# --- the caller's voice -----------------------------------------------------------------------------------------

ASK = [speech(640), silence(1_280)]


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


@pytest.mark.parametrize("cut", [1, 333, 640, 9_999])
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
        await witness.until(ReplyStarted)
        await session.interrupt()
        for handle in handles:
            await soon(handle.wait_for_playout())

        assert [True, True] == [handle.interrupted for handle in handles]
        assert "" == handles[1].heard_text
        assert LISTENING is session.state


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


# --- saying -----------------------------------------------------------------------------------------------------


async def test_say_returns_at_once_and_is_heard_in_time() -> None:
    async with a_session() as session:
        await session.start()
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        handle = await session.say("x" * 60)  # 120 ms
        returned_s = loop.time()
        await soon(handle.wait_for_playout())
        heard_s = loop.time()

        assert returned_s - begun_s < 0.05
        assert heard_s - begun_s >= 0.115
        assert ("x" * 60, False) == (handle.heard_text, handle.interrupted)


async def test_while_it_speaks_the_next_text_waits_its_turn() -> None:
    session = a_session()
    witness = Witness(session)
    async with session:
        await session.start()
        handles = await asyncio.gather(*(session.say(f"This is {name}.") for name in "abc"))
        await soon(asyncio.gather(*(handle.wait_for_playout() for handle in handles)))

        assert [handle.utterance_id for handle in handles] == [done.utterance_id for done in witness.of(ReplyDone)]
        assert [f"This is {name}." for name in "abc"] == [handle.heard_text for handle in handles]


@pytest.mark.parametrize("text", ["", " \n"])
async def test_a_text_of_nothing_is_invalid_input(text: str) -> None:
    async with a_session() as session:
        await session.start()

        assert ErrorCode.INVALID_INPUT is (await refused(session.say(text))).code
        assert {} == session._handles


async def test_how_a_text_is_said_reaches_the_voice() -> None:
    tts = a_voice()
    async with a_session(tts=tts) as session:
        await session.start()
        await soon((await session.say("Hello.", SayOptions("joe", 2.0, 0.5))).wait_for_playout())

        assert [("Hello.", SpeechOptions("joe", 2.0, 0.5))] == tts.requests


async def test_a_text_that_waits_can_be_cancelled_and_again() -> None:
    session = a_session()
    witness = Witness(session)
    async with session:
        await session.start()
        first, second = await session.say(STORY), await session.say("Never.")
        await witness.until(ReplyStarted)
        for _ in range(3):
            await second.cancel()
        await soon(second.wait_for_playout())

        assert (True, "") == (second.interrupted, second.heard_text)
        assert not first.done


async def test_a_text_that_is_heard_can_be_cancelled_even_where_interruptions_are_not_allowed() -> None:
    session = a_session(tts=a_voice(ms_per_character=4))
    witness = Witness(session)
    async with session:
        await session.start()
        handle = await session.say(STORY, SayOptions(allow_interruptions=False))
        await witness.until(ReplyStarted)
        for _ in range(3):
            await handle.cancel()
        await soon(handle.wait_for_playout())

        assert handle.interrupted
        assert handle.heard_text != STORY.strip()
        assert STORY.startswith(handle.heard_text)
        assert LISTENING is session.state


async def test_a_handle_outlives_its_session() -> None:
    async with a_session() as session:
        await session.start()
        handle = await session.say(STORY)
        await session.stop()
        await handle.cancel()
        await soon(handle.wait_for_playout())

        assert handle.interrupted


async def test_a_listener_who_reports_what_they_heard_is_believed() -> None:
    session = a_session(tts=a_voice(ms_per_character=20))
    witness = Witness(session)
    async with session:
        session.played(50)
        await session.start()
        handle = await session.say("One two.")  # 160 ms
        await witness.until(ReplyStarted)
        session.played(60)
        await handle.cancel()

        assert "One" == handle.heard_text


# --- callbacks --------------------------------------------------------------------------------------------------


async def test_state_callbacks_see_every_change_in_order_from_the_first() -> None:
    sync: list[SessionState] = []
    awaited: list[SessionState] = []

    async def callback(state: SessionState) -> None:
        await asyncio.sleep(0)
        awaited.append(state)

    session = a_session(agent=FakeAgent([[], ["Yes."]]), on_state_changed=sync.append)
    session.on_state_changed(callback)
    witness = Witness(session)
    async with session:
        await session.start()
        await session.process_transcript("hello")
        await witness.until(TurnDone)

    expected = [LISTENING, PROCESSING, SPEAKING, LISTENING, ENDED]

    assert (expected, expected) == (sync, awaited)


async def test_a_callback_that_raises_is_counted_and_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def broken(state: SessionState) -> None:
        raise ValueError("no")

    async def broken_too(state: SessionState) -> None:
        raise ValueError("no")

    session = a_session(on_state_changed=broken)
    session.on_state_changed(broken_too)
    with caplog.at_level(logging.ERROR):
        async with session:
            await session.start()
            handle = await session.say("Hello.")
            await soon(handle.wait_for_playout())

    assert "Hello." == handle.heard_text
    assert 2 * len([LISTENING, SPEAKING, LISTENING, ENDED]) == session.callback_failures == len(caplog.records)


async def test_a_callback_may_call_the_session() -> None:
    session = a_session()
    witness = Witness(session)

    async def greet_and_leave(state: SessionState) -> None:
        if state is LISTENING and not witness.of(ReplyDone):
            await session.say("Hello.")
        elif state is LISTENING:
            await session.stop()

    session.on_state_changed(greet_and_leave)
    async with session:
        await session.start()

        assert EndReason.CLIENT is await soon(session.wait_ended())
        assert ["Hello."] == [done.heard_text for done in witness.of(ReplyDone)]


async def test_a_subscriber_that_raises_breaks_nothing_and_the_others_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(notice: object) -> None:
        raise ValueError("no")

    session = a_session()
    session.subscribe(broken)
    witness = Witness(session)
    with caplog.at_level(logging.ERROR):
        async with session:
            await session.start()
            await soon((await session.say("Hello.")).wait_for_playout())

    assert ["Hello."] == [done.heard_text for done in witness.of(ReplyDone)]
    assert len(witness.notices) == len(caplog.records)


async def test_a_subscription_can_be_ended_even_twice() -> None:
    session = a_session()
    seen: list[object] = []
    end = session.subscribe(seen.append)
    async with session:
        await session.start()
        end()
        end()
        told = len(seen)

    assert told == len(seen) > 0


async def test_what_a_subscriber_asks_for_waits_until_all_were_told() -> None:
    session = a_session()
    order: list[str] = []

    def asks(notice: object) -> None:
        if isinstance(notice, StateChanged) and notice.state is SPEAKING:
            with pytest.raises(StopIteration):
                session.interrupt().__await__().send(None)
        order.append(f"first {type(notice).__name__}")

    session.subscribe(asks)
    session.subscribe(lambda notice: order.append(f"second {type(notice).__name__}"))
    async with session:
        await session.start()
        handle = await session.say(STORY)
        await soon(handle.wait_for_playout())

        assert handle.interrupted
        assert [line.replace("first", "second") for line in order[::2]] == order[1::2]


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
        await witness.until(ReplyStarted)
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


# --- what is heard ----------------------------------------------------------------------------------------------


async def test_without_a_transport_the_reply_is_handed_out_in_real_time() -> None:
    loop = asyncio.get_running_loop()
    frames: list[tuple[float, bytes]] = []

    async def listen(session: VoiceSession) -> None:
        async for frame in session.output():
            frames.append((loop.time(), frame))

    async with a_session() as session:
        await session.start()
        listening = asyncio.create_task(listen(session))
        begun_s = loop.time()
        await soon((await session.say("x" * 150)).wait_for_playout())  # 300 ms
    await soon(listening)

    assert 15 == len(frames)
    assert {640} == {len(frame) for _, frame in frames}
    for number, (at_s, _) in enumerate(frames):
        assert at_s - begun_s >= (number * 20 - 100) / 1000 - 0.005


async def test_the_output_has_the_rate_of_the_voice_or_of_the_transport() -> None:
    line = Line()
    line.rate_hz = 8_000

    assert 22_050 == a_session(tts=FakeTts(rate_hz=22_050)).output_rate_hz
    assert 8_000 == a_session(transport=line).output_rate_hz


async def test_a_transport_is_given_the_reply_at_its_rate() -> None:
    line = Line()
    line.rate_hz = 8_000
    async with a_session(transport=line) as session:
        await session.start()
        await soon((await session.say("x" * 50)).wait_for_playout())

    assert [320] * 5 == [len(frame) for frame in line.frames]


def test_where_a_transport_takes_the_audio_nobody_else_can() -> None:
    with pytest.raises(SessionError) as error:
        a_session(transport=Line()).output()

    assert ErrorCode.INVALID_STATE is error.value.code


async def test_many_sessions_in_one_loop_do_not_mix() -> None:
    async def one(name: int) -> str:
        async with a_session() as session:
            await session.start()
            handle = await session.say(f"This is {name}.")
            await soon(handle.wait_for_playout())
            return handle.heard_text

    assert [f"This is {name}." for name in range(20)] == await asyncio.gather(*map(one, range(20)))
