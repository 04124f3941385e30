"""What a simulated caller never does: sessions without an agent, settings that are empty, events out of place."""

from __future__ import annotations

import pytest

from session.commands import Notify, Say
from session.config import SayOptions, SessionConfig
from session.errors import ErrorCode
from session.events import (
    AgentDid,
    AgentFinished,
    AgentSaid,
    DtmfPressed,
    Failed,
    Heard,
    HungUp,
    Played,
    SayAsked,
    SayCancelled,
    Started,
    Typed,
)
from session.notices import (
    AgentActed,
    Ended,
    EndReason,
    ErrorOccurred,
    ReplyDone,
    StateChanged,
    TranscriptChanged,
    TurnDone,
    TurnOutcome,
)
from session.states import SessionState
from tests.session.talk import Talk

# --- without an agent -------------------------------------------------------------------------------------------


def test_without_an_agent_nobody_is_asked_or_told_anything() -> None:
    talk = Talk(has_agent=False)
    talk.happens(Typed("hello"))
    talk.happens(DtmfPressed("5"))
    talk.happens(HungUp(EndReason.CLIENT))

    assert ([], []) == (talk.asked, talk.all(Notify))
    assert [TurnOutcome.ANSWERED] == [done.outcome for done in talk.all(TurnDone)]
    assert [SessionState.LISTENING, SessionState.ENDED] == [change.state for change in talk.all(StateChanged)]


def test_without_an_agent_a_greeting_is_said_all_the_same() -> None:
    talk = Talk(has_agent=False, greeting="Hello.")
    talk.is_synthesised(500)
    talk.is_played(500, 500)

    assert ["Hello."] == [done.heard_text for done in talk.all(ReplyDone)]


# --- events out of place ----------------------------------------------------------------------------------------


def test_audio_of_a_session_that_is_not_active_is_not_heard() -> None:
    talk = Talk(started=False)

    assert [] == talk.happens(Heard(20, 0.9, 0))


def test_an_event_of_a_job_that_is_closed_changes_nothing() -> None:
    talk = Talk()
    talk.happens(Typed("hello"))
    job = talk.asked[-1].job
    talk.happens(AgentFinished(job))

    for event in (AgentSaid(job, "Late."), AgentDid(job, "hangup"), Failed(job, "late", retryable=False)):
        assert [] == talk.happens(event)


def test_cancelling_finds_its_own_among_those_that_wait_and_no_other() -> None:
    talk = Talk(has_agent=False)
    for name in "abc":
        talk.happens(SayAsked(name, f"This is {name}.", SayOptions()))
    talk.happens(SayCancelled("c"))

    assert ["c"] == [done.utterance_id for done in talk.all(ReplyDone)]
    assert [] == talk.happens(SayCancelled("nobody's"))


def test_cancelling_when_nothing_is_said_is_nothing() -> None:
    talk = Talk(has_agent=False)

    assert [] == talk.happens(SayCancelled("over"))


def test_time_never_goes_back() -> None:
    talk = Talk()
    talk.passes(1_000)
    deadline_ms = talk.engine.next_deadline()
    talk.engine.handle(Played("none", 0, 0), 10)

    assert deadline_ms == talk.engine.next_deadline()


def test_with_nothing_to_close_nothing_is_closed() -> None:
    talk = Talk(has_agent=False)
    talk.engine._turn_is_over()
    talk.engine._reply_is_over()
    talk.engine._agent_did(AgentDid(1, "dtmf", digits="5"))

    assert [] == talk.engine._desk.drain()


# --- the agent acts ---------------------------------------------------------------------------------------------


def test_keys_that_the_agent_presses_are_told_at_once() -> None:
    talk = Talk()
    talk.happens(Typed("hello"))
    turn_id = talk.asked[-1].turn_id
    talk.happens(AgentDid(talk.asked[-1].job, "dtmf", digits="42"))

    assert [AgentActed(turn_id, "dtmf", digits="42")] == talk.all(AgentActed)


def test_an_agent_that_acted_and_then_failed_is_not_asked_again() -> None:
    talk = Talk(SessionConfig(apology=""))
    talk.happens(Typed("dial for me"))
    talk.happens(AgentDid(talk.asked[-1].job, "dtmf", digits="42"))
    talk.happens(Failed(talk.asked[-1].job, "reset", retryable=True))
    talk.passes(5_000)

    assert 1 == len([ask for ask in talk.asked if ask.type == "turn"])
    assert ["reset"] == [error.message for error in talk.all(ErrorOccurred)]


def test_an_action_of_an_answer_that_failed_is_not_taken() -> None:
    talk = Talk(SessionConfig(apology=""))
    talk.happens(Typed("goodbye"))
    talk.happens(AgentDid(talk.asked[-1].job, "hangup"))
    talk.happens(Failed(talk.asked[-1].job, "broke", retryable=False))

    assert [] == talk.all(Ended)
    assert SessionState.LISTENING is talk.engine.state


# --- apologies --------------------------------------------------------------------------------------------------


def test_where_the_apology_is_empty_none_is_said() -> None:
    talk = Talk(SessionConfig(apology=""))
    talk.happens(Typed("hello"))
    talk.happens(Failed(talk.asked[-1].job, "broke", retryable=False))

    assert ["broke"] == [error.message for error in talk.all(ErrorOccurred)]
    assert [] == talk.all(ReplyDone)
    assert SessionState.LISTENING is talk.engine.state


def test_a_text_that_could_not_be_said_is_no_turn_and_needs_no_apology() -> None:
    talk = Talk(SessionConfig(tts_timeout="1s"), has_agent=False)
    talk.happens(SayAsked("a", "Hello.", SayOptions()))
    talk.passes(1_000)

    assert [("a", "")] == [(done.utterance_id, done.heard_text) for done in talk.all(ReplyDone)]
    assert None is talk.engine._replier.reply


@pytest.mark.parametrize("times_out", [False, True])
def test_an_apology_that_cannot_be_said_for_a_dead_voice_is_no_second_error(*, times_out: bool) -> None:
    talk = Talk(SessionConfig(apology="Sorry.", tts_timeout="1s"))

    def break_the_voice() -> None:
        if times_out:
            talk.passes(1_000)
        else:
            talk.happens(Failed(talk.last(Say).job, "dead", retryable=False))

    talk.happens(Typed("hello"))
    talk.happens(AgentSaid(talk.asked[-1].job, "Good morning."))
    talk.happens(AgentFinished(talk.asked[-1].job))
    break_the_voice()
    assert "Sorry." == talk.last(Say).text
    break_the_voice()

    assert [ErrorCode.TTS_ERROR] == [error.code for error in talk.all(ErrorOccurred)]
    assert ["", ""] == [done.heard_text for done in talk.all(ReplyDone)]
    assert SessionState.LISTENING is talk.engine.state


def test_an_apology_that_fails_for_another_reason_is_told_of() -> None:
    talk = Talk(SessionConfig(apology="Sorry."))
    talk.happens(Typed("hello"))
    talk.happens(Failed(talk.asked[-1].job, "broke", retryable=False))
    talk.happens(Failed(talk.last(Say).job, "dead", retryable=False))

    assert [ErrorCode.AGENT_ERROR, ErrorCode.TTS_ERROR] == [error.code for error in talk.all(ErrorOccurred)]


def test_the_next_dead_voice_is_an_error_again() -> None:
    talk = Talk(SessionConfig(apology="Sorry."))
    for _ in range(2):
        talk.happens(Typed("hello"))
        talk.happens(AgentSaid(talk.asked[-1].job, "Good morning. "))
        talk.happens(Failed(talk.last(Say).job, "dead", retryable=False))
        talk.happens(Failed(talk.last(Say).job, "dead", retryable=False))

    assert [ErrorCode.TTS_ERROR] * 2 == [error.code for error in talk.all(ErrorOccurred)]


# --- in the middle of a word ------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["", "what I mean is"])
def test_a_typed_turn_takes_the_floor_and_what_was_being_said_is_not_lost(said: str) -> None:
    talk = Talk()
    talk.user_speaks(400)
    talk.is_transcribed(said, final=False)
    talk.happens(Typed("hello"))

    assert [text for text in (said, "hello") if text] == [message.text for message in talk.engine.history]
    assert [told.text for told in talk.all(TranscriptChanged) if told.final] == [
        message.text for message in talk.engine.history
    ]
    assert [TurnOutcome.INTERRUPTED if said else TurnOutcome.EMPTY] == [done.outcome for done in talk.all(TurnDone)]


def test_a_session_that_ends_while_the_user_speaks_keeps_what_they_said() -> None:
    talk = Talk()
    talk.user_speaks(400)
    talk.is_transcribed("wait", final=False)
    talk.happens(HungUp(EndReason.CLIENT))

    assert ["wait"] == [message.text for message in talk.engine.history]
    assert None is talk.engine.next_deadline()


# --- time -------------------------------------------------------------------------------------------------------


def test_whoever_speaks_puts_the_end_by_inactivity_off() -> None:
    talk = Talk(SessionConfig(timeout="1m", user_away_timeout=None), has_agent=False)
    talk.passes(50_000)
    talk.happens(Typed("hello"))
    talk.happens(SayAsked("a", "Hello.", SayOptions()))
    talk.is_synthesised(500)
    talk.is_played(500, 500)
    talk.passes(10_000)

    assert [] == talk.all(Ended)

    talk.passes(50_000)

    assert [Ended(EndReason.TIMEOUT)] == talk.all(Ended)


def test_a_session_that_ended_has_no_deadline_and_starts_anew() -> None:
    talk = Talk()
    talk.happens(Typed("hello"))
    talk.happens(HungUp(EndReason.CLIENT))

    assert None is talk.engine.next_deadline()
    assert [] == talk.passes(10**9)

    talk.happens(Started())

    assert () == talk.engine.history
    assert SessionState.LISTENING is talk.engine.state
