from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from providers.agent.webhook import Webhook
from providers.api import AgentAction, AgentRequest, Message
from providers.errors import Overloaded, Unreachable
from providers.fakes import FakeAgent, FakeTts, FakeTurnDetector, after
from session import SessionConfig, SessionState
from session.notices import AgentActed, EndReason, InterruptionJudged, TurnOutcome
from session.testing import Does, HangsUp, Hears, Listens, Pauses, Presses, Rehearsal, Says, Types, rehearse

STORY = "Once upon a time there was a whale, and it sang all night. Then it slept. Then it sang again, and slept."


async def clerk(transcript: str) -> str:
    return f"You said {transcript}."


async def teller(transcript: str) -> AsyncIterator[str]:
    await asyncio.sleep(0.4)
    for word in STORY.split():
        yield f"{word} "


def test_a_function_is_heard_to_answer() -> None:
    call = rehearse(clerk, ["what time is it", "thank you"])

    assert ["what time is it", "thank you"] == call.said
    assert ["You said what time is it.", "You said thank you."] == call.heard
    assert EndReason.CLIENT == call.ended


def test_the_transcript_is_what_was_said_and_heard() -> None:
    call = rehearse(clerk, ["hello"])

    assert (Message("user", "hello"), Message("assistant", "You said hello.")) == call.transcript


def test_a_plain_function_may_answer_too() -> None:
    call = rehearse(str.upper, ["hello there"])

    assert ["HELLO THERE"] == call.heard


def test_a_reply_that_is_broken_into_is_heard_in_part() -> None:
    call = rehearse(teller, [Says("tell me a story"), Hears(1.0), Says("stop stop please stop"), Listens()])
    first, _ = call.replies

    assert first.interrupted
    assert "Once upon a" in first.heard_text
    assert len(first.heard_text) < len(STORY)
    assert ["tell me a story", "stop stop please stop"] == call.said
    assert [True] == [judged.committed for judged in call.of(InterruptionJudged)]


def test_a_word_of_assent_breaks_into_nothing() -> None:
    call = rehearse(teller, [Says("tell me a story"), Hears(1.0), Says("okay"), Listens()])

    assert [STORY] == call.heard
    assert ["tell me a story"] == [text for text in call.said if text != "okay"]


def test_a_pause_within_a_turn_does_not_end_it() -> None:
    call = rehearse(clerk, [Says("what time"), Pauses(0.3), Says("is it"), Listens()])

    assert ["what time is it"] == call.said


def test_a_long_pause_is_the_end_of_a_turn() -> None:
    call = rehearse(clerk, [Says("what time"), Pauses(6), Says("is it"), Listens()])

    assert ["what time", "is it"] == call.said


def test_latencies_are_those_of_the_parts_in_virtual_time() -> None:
    call = rehearse(teller, ["tell me a story"], understood=after(0.2))
    (turn,) = call.turns

    assert 400 == turn.latency.agent_ms
    assert 200 == turn.latency.stt_ms
    assert 20 == turn.latency.tts_ms


def test_a_slow_recogniser_is_waited_for() -> None:
    call = rehearse(clerk, ["hello"], understood=after(4.5))

    assert ["You said hello."] == call.heard


def test_states_come_with_their_times() -> None:
    call = rehearse(teller, ["tell me a story"])
    states = [state for _, state in call.states]
    at_ms = {state: at for at, state in call.states}

    assert ["listening", "processing", "speaking", "listening", "ended"] == states
    assert 400 <= at_ms[SessionState.SPEAKING] - at_ms[SessionState.PROCESSING] <= 500
    assert call.duration_ms == at_ms[SessionState.ENDED]


def test_typed_text_and_keys_are_answered() -> None:
    agent = FakeAgent(lambda request: [f"{request.type} {request.transcript or request.digits}."])
    call = rehearse(agent, [Listens(), Types("hello"), Listens(), Presses("7"), Listens()])

    assert ["session.started None.", "turn hello.", "dtmf 7."] == call.heard


def test_the_agent_may_hang_up() -> None:
    agent = FakeAgent([[], ["Goodbye.", AgentAction("hangup")]])
    call = rehearse(agent, ["bye", "are you there", Types("hello")])

    assert EndReason.AGENT == call.ended
    assert ["Goodbye."] == call.heard
    assert ("are you there", Types("hello")) == call.left


def test_the_agent_may_ask_for_a_transfer() -> None:
    agent = FakeAgent([[], ["One moment.", AgentAction("transfer", to="desk")]])
    call = rehearse(agent, ["a human please"])

    assert [AgentActed("2", "transfer", to="desk")] == call.actions


def test_the_caller_may_hang_up_in_mid_reply() -> None:
    agent = FakeAgent([[], [STORY]])
    call = rehearse(agent, [Says("tell me a story"), Hears(0.5), HangsUp()])
    (reply,) = call.replies

    assert reply.interrupted
    assert () == call.left
    assert "session.ended" == agent.told[-1].type


def test_the_program_around_the_session_may_take_part() -> None:
    call = rehearse(clerk, [Does(lambda session: session.say("One moment.")), Listens()])

    assert ["One moment."] == call.heard


def test_an_agent_that_fails_is_apologised_for() -> None:
    async def broken(transcript: str) -> str:
        raise LookupError(transcript)

    call = rehearse(broken, ["hello"])

    assert ["agent_error"] == [error.code for error in call.errors]
    assert [TurnOutcome.FAILED] == [turn.outcome for turn in call.turns]
    assert [SessionConfig().apology] == call.heard


def test_an_agent_that_is_too_slow_is_given_up() -> None:
    async def slow(transcript: str) -> str:
        await asyncio.sleep(3_600)
        return transcript

    call = rehearse(slow, ["hello"], config=SessionConfig(agent_timeout="4s", max_retries=0))

    assert [TurnOutcome.FAILED] == [turn.outcome for turn in call.turns]
    assert call.duration_ms < 15_000


def test_an_agent_that_is_busy_is_asked_again() -> None:
    agent = FakeAgent([[], [Overloaded("full")], ["Here I am."]])
    call = rehearse(agent, ["hello"])

    assert ["Here I am."] == call.heard
    assert 3 == len(agent.asked)


def test_a_voice_that_fails_is_given() -> None:
    call = rehearse(clerk, ["hello"], tts=FakeTts(refusals=[Unreachable("gone")]))

    assert ["You said hello."] == call.heard


def test_a_turn_detector_and_settings_are_used() -> None:
    detector = FakeTurnDetector([1.0])
    call = rehearse(clerk, ["hello there"], turn_detector=detector)
    (turn,) = call.turns

    assert ["hello there"] == [seen.text for seen in detector.turns]
    assert turn.latency.endpoint_ms is not None
    assert turn.latency.endpoint_ms < 500


def test_what_the_agent_is_told_of_the_call() -> None:
    agent = FakeAgent(lambda _: ["Yes."])
    rehearse(agent, ["hello"], metadata={"plan": "gold"}, language="de", config=SessionConfig(session_id="7"))

    assert AgentRequest("session.started", "7", language="de", metadata={"plan": "gold"}, turn_id="1") == agent.asked[0]


def test_a_greeting_is_said_first() -> None:
    call = rehearse(clerk, [Listens(), "hello"], greeting="Good morning!")

    assert ["Good morning!", "You said hello."] == call.heard


def test_nobody_there_to_answer_is_a_call_too() -> None:
    call = rehearse(None, ["hello"])

    assert ["hello"] == call.said
    assert [] == call.heard


def test_a_call_takes_the_same_course_each_time() -> None:
    def call() -> Rehearsal:
        agent = FakeAgent([[], [Overloaded("full")], ["Here I am."], [STORY], ["Fine."]])
        return rehearse(agent, ["hello", Says("well"), Hears(0.2), Says("stop it now please")])

    random.seed()
    first, second = call(), call()

    assert first.told == second.told


def test_minutes_of_silence_end_a_call() -> None:
    call = rehearse(clerk, [Pauses(400), "hello"], config=SessionConfig(timeout="1m"))

    assert EndReason.TIMEOUT == call.ended
    assert ("hello",) == call.left


def test_a_webhook_is_out_of_reach() -> None:
    agent = Webhook(Webhook.Options.model_validate({"url": "http://127.0.0.1:9/"}))
    call = rehearse(agent, ["hello"], config=SessionConfig(max_retries=0))

    assert [SessionConfig().apology] == call.heard


def test_who_waits_for_a_reply_in_vain_is_told() -> None:
    with pytest.raises(TimeoutError, match=r"Hears\(for_s=0.0, limit_s=5\) in vain: the session is listening"):
        rehearse(clerk, [Hears(limit_s=5)])


def test_who_listens_for_too_long_is_told() -> None:
    with pytest.raises(TimeoutError, match=r"Listens\(limit_s=2\) in vain: the session is speaking"):
        rehearse(teller, [Says("tell me a story"), Listens(limit_s=2)])


def test_a_mistake_of_the_test_is_raised() -> None:
    async def broken(_: object) -> None:
        raise LookupError("of the test")

    with pytest.raises(LookupError):
        rehearse(clerk, [Does(broken)])


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("hello", "the script is the text 'hello'"),
        ([HangsUp(), "hello"], r"'hello' follows HangsUp\(\)"),
        ([3], "3 is nothing that a caller does"),
    ],
)
def test_a_script_that_is_none_is_refused(script: list[object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rehearse(clerk, script)  # type: ignore[arg-type] # that is the point


async def test_no_rehearsal_within_an_event_loop() -> None:
    with pytest.raises(RuntimeError, match="not async"):
        rehearse(clerk, ["hello"])
