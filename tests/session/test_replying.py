"""One reply: asked, cut into pieces, synthesised a little ahead, played, held, and over."""

from __future__ import annotations

import pytest

from providers.api import WordTiming
from session.commands import Ask, Cancel, Clear, Pause, Play, Say, Tell
from session.config import SayOptions, SessionConfig
from session.desk import Desk
from session.errors import ErrorCode
from session.events import (
    AgentFinished,
    AgentSaid,
    Failed,
    InterruptAsked,
    Played,
    SayAsked,
    Spoken,
    SpokenWhole,
    Typed,
)
from session.notices import ErrorOccurred, ReplyDone, ReplyStarted, ReplyText, TurnDone, TurnOutcome
from session.replying import AHEAD_MS, STALLED_MS, Replier
from session.states import SessionState
from tests.session.talk import RATE_HZ, Talk

TWO = "This is one sentence. And this here is another one."


def an_answer(text: str = TWO) -> Talk:
    talk = Talk()
    talk.happens(Typed("hello"))
    talk.happens(AgentSaid(talk.asked[-1].job, text))
    talk.happens(AgentFinished(talk.asked[-1].job))
    return talk


# --- text and pieces --------------------------------------------------------------------------------------------


def test_the_first_piece_is_synthesised_before_the_agent_has_finished() -> None:
    talk = Talk()
    talk.happens(Typed("hello"))
    talk.happens(AgentSaid(talk.asked[-1].job, TWO))

    assert ["This is one sentence."] == [say.text for say in talk.all(Say)]
    assert ["This is one sentence."] == [piece.text for piece in talk.all(ReplyText)]


def test_the_next_piece_is_synthesised_when_the_one_before_is_whole() -> None:
    talk = an_answer()
    talk.is_synthesised(1_000)

    assert ["This is one sentence.", "And this here is another one."] == [say.text for say in talk.all(Say)]


def test_no_more_than_ten_seconds_are_synthesised_ahead_of_what_was_heard() -> None:
    talk = an_answer()
    talk.is_synthesised(AHEAD_MS)

    assert 1 == len(talk.all(Say))

    talk.is_played(sent=100, heard=1)

    assert 2 == len(talk.all(Say))


def test_how_it_is_said_goes_with_every_piece() -> None:
    talk, options = Talk(has_agent=False), SayOptions("joe", 1.5)
    talk.happens(SayAsked("a", TWO, options))
    talk.is_synthesised(1_000)

    assert [options, options] == [say.options for say in talk.all(Say)]


# --- playing ----------------------------------------------------------------------------------------------------


def test_it_is_played_once_with_the_first_audio() -> None:
    talk = an_answer()

    assert [] == talk.all(Play)

    talk.is_synthesised(1_000)
    talk.is_synthesised(1_000)

    assert 1 == len(talk.all(Play))


def test_it_is_told_that_it_has_started_before_its_first_text_and_once() -> None:
    talk = an_answer()
    told = [type(command.notice) for command in talk.given if isinstance(command, Tell)]

    assert told.index(ReplyStarted) < told.index(ReplyText)
    assert 1 == told.count(ReplyStarted)


def test_it_is_over_when_the_last_sample_was_heard() -> None:
    talk = an_answer()
    talk.is_synthesised(1_000)
    talk.is_synthesised(1_000)
    talk.is_played(sent=2_000, heard=1_999)

    assert [] == talk.all(ReplyDone)

    talk.is_played(sent=2_000, heard=2_000)

    assert [TWO] == [done.heard_text for done in talk.all(ReplyDone)]
    assert [Clear(at_listener=False)] == talk.all(Clear)[-1:]


def test_a_position_of_another_reply_is_not_its_own() -> None:
    talk = an_answer()
    talk.is_synthesised(1_000)
    talk.happens(Played("another", 500, 500))

    assert SessionState.PROCESSING is talk.engine.state


def test_a_piece_of_which_no_audio_came_is_left_out() -> None:
    talk = an_answer()
    talk.happens(SpokenWhole(talk.last(Say).job))
    talk.is_synthesised(1_000)
    talk.is_played(1_000, 1_000)

    assert ["And this here is another one."] == [done.heard_text for done in talk.all(ReplyDone)]


def test_words_may_be_told_after_their_audio() -> None:
    """Some voices send the timing at the end; a resampler holds the last samples back."""
    talk = an_answer("One two.")
    job = talk.last(Say).job
    talk.happens(Spoken(job, 1_000))
    talk.happens(Spoken(job, 0, (WordTiming("One", 900), WordTiming("two.", 1_000))))
    talk.happens(SpokenWhole(job))
    talk.is_played(600, 600)
    talk.happens(InterruptAsked())

    assert ["One"] == [done.heard_text for done in talk.all(ReplyDone)]


def test_words_before_any_audio_are_no_first_audio() -> None:
    talk = an_answer("One two.")
    job = talk.last(Say).job
    talk.passes(100)
    talk.happens(Spoken(job, 0, (WordTiming("One", 900),)))

    assert [] == talk.all(Play)

    talk.passes(50)
    talk.happens(Spoken(job, 1_000, (WordTiming("two.", 1_000),)))
    talk.happens(SpokenWhole(job))
    talk.is_played(1_000, 1_000)

    assert 150 == talk.last(ReplyDone).latency.tts_ms


def test_no_audio_and_no_words_are_nothing() -> None:
    talk = an_answer()

    assert [] == talk.happens(Spoken(talk.last(Say).job, 0))


def test_a_playout_that_does_not_move_any_more_is_given_up() -> None:
    talk = an_answer()
    talk.is_synthesised(1_000)
    talk.is_played(sent=500, heard=400)
    talk.passes(STALLED_MS)

    done = talk.all(ReplyDone)[0]
    assert ("This is one", TurnOutcome.FAILED) == (done.heard_text, talk.last(TurnDone).outcome)


def test_what_was_sent_to_its_end_counts_as_heard_when_nobody_says_otherwise() -> None:
    talk = an_answer("One two.")
    talk.is_synthesised(1_000)
    talk.is_played(sent=1_000, heard=100)
    talk.passes(STALLED_MS)

    assert ("One two.", TurnOutcome.ANSWERED) == (talk.last(ReplyDone).heard_text, talk.last(TurnDone).outcome)


# --- failing ----------------------------------------------------------------------------------------------------


def test_a_voice_that_fails_before_anything_was_heard_is_tried_again() -> None:
    talk = an_answer()
    talk.happens(Failed(talk.last(Say).job, "broke", retryable=True))
    talk.passes(1_000)

    assert ["This is one sentence."] * 2 == [say.text for say in talk.all(Say)]


@pytest.mark.parametrize("retryable", [True, False])
def test_a_voice_that_breaks_in_the_middle_is_heard_as_far_as_it_came(*, retryable: bool) -> None:
    talk = an_answer()
    job = talk.last(Say).job
    talk.happens(Spoken(job, 1_000))
    talk.happens(Failed(job, "broke", retryable))
    talk.is_played(1_000, 1_000)

    assert ["This is one sentence."] == [say.text for say in talk.all(Say)[:1]]
    assert "This is one" == talk.all(ReplyDone)[0].heard_text
    assert [(ErrorCode.TTS_ERROR, "broke")] == [(error.code, error.message) for error in talk.all(ErrorOccurred)]
    assert [TurnOutcome.FAILED] == [done.outcome for done in talk.all(TurnDone)]


def test_a_retry_that_would_come_after_the_limit_is_none() -> None:
    talk = Talk(SessionConfig(tts_timeout="500ms", apology=""))
    talk.happens(Typed("hello"))
    talk.happens(AgentSaid(talk.asked[-1].job, TWO))
    talk.happens(Failed(talk.last(Say).job, "broke", retryable=True))

    assert [TurnOutcome.FAILED] == [done.outcome for done in talk.all(TurnDone)]


def test_the_tries_of_a_piece_have_one_limit_together() -> None:
    talk = Talk(SessionConfig(tts_timeout="2s", apology=""))
    talk.happens(Typed("hello"))
    talk.happens(AgentSaid(talk.asked[-1].job, TWO))
    talk.happens(Failed(talk.last(Say).job, "broke", retryable=True))
    talk.passes(1_000)
    talk.passes(999)

    assert 2 == len(talk.all(Say))
    assert [] == talk.all(TurnDone)

    talk.passes(1)

    assert [TurnOutcome.FAILED] == [done.outcome for done in talk.all(TurnDone)]


def test_a_voice_that_gives_up_gives_the_agent_up_too() -> None:
    talk = Talk()
    talk.happens(Typed("hello"))
    talk.happens(AgentSaid(talk.asked[-1].job, TWO))
    talk.happens(Failed(talk.last(Say).job, "broke", retryable=False))

    assert Cancel(talk.asked[-1].job) in talk.given


def test_an_agent_that_fails_is_asked_again_within_its_limit_only() -> None:
    talk = Talk(SessionConfig(agent_timeout="1500ms", retry_delay="1s", apology=""))
    talk.happens(Typed("hello"))
    talk.happens(Failed(talk.asked[-1].job, "broke", retryable=True))
    talk.passes(1_000)

    assert 2 == len(talk.asked)

    talk.happens(Failed(talk.asked[-1].job, "broke", retryable=True))

    assert [TurnOutcome.FAILED] == [done.outcome for done in talk.all(TurnDone)]


@pytest.mark.parametrize("max_retries", [0, 1, 10])
def test_how_often_it_is_tried_again_and_how_soon_are_settings(max_retries: int) -> None:
    talk = Talk(SessionConfig(agent_timeout="2m", max_retries=max_retries, retry_delay="100ms", apology=""))
    talk.happens(Typed("hello"))
    for _ in range(max_retries):
        talk.happens(Failed(talk.asked[-1].job, "broke", retryable=True))
        talk.passes(3_900)  # 100 ms, nine times half as much again

    assert max_retries + 1 == len(talk.asked)
    assert [] == talk.all(ErrorOccurred)

    talk.happens(Failed(talk.asked[-1].job, "broke", retryable=True))

    assert [ErrorCode.AGENT_ERROR] == [error.code for error in talk.all(ErrorOccurred)]


# --- nothing open -----------------------------------------------------------------------------------------------


def test_without_a_reply_there_is_nothing_to_do() -> None:
    desk = Desk()
    replier = Replier(desk, SessionConfig(), RATE_HZ)
    replier.agent_said(AgentSaid(1, "hello"))
    replier.agent_finished()
    replier.agent_is_late()
    replier.retry_agent()
    replier.spoken(Spoken(1, 100))
    replier.spoken_whole()
    replier.speech_is_late()
    replier.retry_speech()
    replier.playout_stalled()
    replier.hold()
    replier.release()

    assert (False, False) == (
        replier.agent_failed(Failed(1, "broke", retryable=True)),
        replier.speech_failed(Failed(1, "broke", retryable=True)),
    )
    assert not replier.played(Played("1", 1, 1))
    assert None is replier.close(at_listener=True)
    assert not replier.finished
    assert [] == desk.drain()
    assert None is desk.deadlines.next_ms()


def test_a_reply_that_waits_for_room_at_the_listeners_is_not_stuck() -> None:
    desk = Desk()
    replier = Replier(desk, SessionConfig(), RATE_HZ)
    replier.room_changed(has_room=True)
    reply = replier.new_reply("1")
    replier.say(reply, "Hello there.")
    replier.spoken(Spoken(reply.say_job or 0, 1_000))
    watched = desk.deadlines.is_set("playout")
    replier.room_changed(has_room=False)

    assert (True, False) == (watched, desk.deadlines.is_set("playout"))

    replier.room_changed(has_room=True)

    assert desk.deadlines.is_set("playout")


def test_holding_twice_is_holding_once_and_releasing_plays_on() -> None:
    desk = Desk()
    replier = Replier(desk, SessionConfig(), RATE_HZ)
    reply = replier.new_reply("1")
    replier.say(reply, "Hello there.")
    replier.spoken(Spoken(reply.say_job or 0, 1_000))
    desk.drain()
    replier.hold()
    replier.hold()
    replier.release()
    replier.release()

    assert [Pause(), Play("1")] == desk.drain()


def test_a_reply_that_is_held_before_it_was_played_is_not_paused() -> None:
    desk = Desk()
    replier = Replier(desk, SessionConfig(), RATE_HZ)
    replier.ask(replier.new_reply("1"), Ask(0, "1", "turn"))
    desk.drain()
    replier.hold()
    replier.release()

    assert [] == desk.drain()
