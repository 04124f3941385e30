"""What the user's voice does to a reply that is open: nothing, a pause, or its end."""

from __future__ import annotations

import pytest

from session.commands import Ask, Clear, Notify, Pause, Play
from session.config import Interruption, SayOptions, SessionConfig
from session.events import AgentFinished, AgentSaid, InterruptAsked, SayAsked, Typed
from session.floor import HOLD_LIMIT_MS
from session.notices import (
    InterruptionJudged,
    ReplyCleared,
    ReplyDone,
    ReplyPaused,
    ReplyResumed,
    TranscriptChanged,
    TurnDone,
    TurnOutcome,
)
from tests.session.talk import Talk

TEXT = "Once upon a time there was a whale."
LENGTH = 7_000


def a_story(config: SessionConfig | None = None, options: SayOptions | None = None) -> Talk:
    """A second of it was heard."""
    talk = Talk(config, has_agent=False)
    talk.happens(SayAsked("story", TEXT, options or SayOptions()))
    talk.is_synthesised(LENGTH)
    talk.is_played(sent=1_100, heard=1_000)
    return talk


def an_unheard_answer() -> Talk:
    """The agent was asked, and nothing of its answer was heard."""
    talk = Talk()
    talk.user_speaks(400)
    talk.user_is_silent(180)
    talk.is_transcribed("book a table")
    talk.user_is_silent(400)
    return talk


def user_says(talk: Talk, text: str, voiced_ms: int = 600, silent_ms: int = 200) -> None:
    talk.user_speaks(voiced_ms)
    talk.user_is_silent(silent_ms)
    talk.is_transcribed(text)


# --- a reply that is heard --------------------------------------------------------------------------------------


def test_it_is_paused_after_a_while_of_speech_and_not_before() -> None:
    talk = a_story()
    talk.user_speaks(180)

    assert [] == talk.all(Pause)

    talk.user_speaks(20)

    assert (1, 1) == (len(talk.all(Pause)), len(talk.all(ReplyPaused)))


def test_a_reply_whose_last_words_were_on_the_way_is_not_left_paused() -> None:
    talk = a_story()
    talk.is_played(sent=LENGTH, heard=LENGTH - 100)
    talk.user_speaks(200)
    before = talk.all(ReplyResumed)
    talk.is_played(sent=LENGTH, heard=LENGTH)
    told = [type(notice) for notice in talk.all(object) if isinstance(notice, ReplyPaused | ReplyResumed | ReplyDone)]

    assert [] == before
    assert [ReplyPaused, ReplyResumed, ReplyDone] == told
    assert [InterruptionJudged(committed=False, stop_ms=200)] == talk.all(InterruptionJudged)


def test_enough_words_take_the_floor() -> None:
    talk = a_story()
    user_says(talk, "stop it please")

    assert [InterruptionJudged(committed=True, stop_ms=200)] == talk.all(InterruptionJudged)
    assert [ReplyCleared(talk.last(ReplyDone).turn_id)] == talk.all(ReplyCleared)
    assert Clear(at_listener=True) == talk.all(Clear)[-1]
    assert [("Once", True)] == [(done.heard_text, done.interrupted) for done in talk.all(ReplyDone)]


def test_an_interim_is_enough_and_without_a_pause_the_stop_is_measured_to_the_cut() -> None:
    talk = a_story(SessionConfig(interruption=Interruption(words=1, duration="100ms", pause_after="5s")))
    talk.user_speaks(300)
    talk.is_transcribed("stop", final=False)

    assert [InterruptionJudged(committed=True, stop_ms=300)] == talk.all(InterruptionJudged)
    assert [] == talk.all(ReplyPaused)


@pytest.mark.parametrize("text", ["", "uh huh"])
def test_a_noise_or_a_backchannel_lets_it_go_on(text: str) -> None:
    talk = a_story()
    user_says(talk, text)

    assert 1 == len(talk.all(ReplyResumed))
    assert [InterruptionJudged(committed=False, stop_ms=200)] == talk.all(InterruptionJudged)
    assert 2 == len(talk.all(Play))
    assert [TurnOutcome.EMPTY] == [done.outcome for done in talk.all(TurnDone)]


def test_a_backchannel_that_was_told_is_told_as_final() -> None:
    talk = a_story()
    user_says(talk, "okay")

    assert [("okay", False), ("okay", True)] == [(told.text, told.final) for told in talk.all(TranscriptChanged)]


def test_too_few_words_let_it_go_on_after_a_second_and_are_kept() -> None:
    talk = a_story()
    user_says(talk, "louder please", silent_ms=980)

    assert [] == talk.all(ReplyResumed)

    talk.user_is_silent(20)

    assert 1 == len(talk.all(ReplyResumed))
    assert [] == talk.all(TurnDone)

    talk.is_played(sent=LENGTH, heard=LENGTH)

    assert ["louder please"] == [told.text for told in talk.all(TranscriptChanged) if told.final]


def test_what_was_kept_goes_on_when_the_user_does() -> None:
    talk = a_story()
    user_says(talk, "louder please", silent_ms=1_000)
    user_says(talk, "i cannot hear you")

    assert "louder please i cannot hear you" == talk.last(TranscriptChanged).text
    assert 1 == len(talk.all(ReplyCleared))


def test_a_backchannel_after_words_that_were_kept_leaves_those() -> None:
    talk = a_story()
    user_says(talk, "louder please", silent_ms=1_000)
    user_says(talk, "okay")
    talk.is_played(sent=LENGTH, heard=LENGTH)

    assert ["louder please"] == [told.text for told in talk.all(TranscriptChanged) if told.final]
    assert [TurnOutcome.ANSWERED] == [done.outcome for done in talk.all(TurnDone)]


def test_sound_without_words_holds_it_for_a_while_and_not_twice() -> None:
    talk = a_story()
    talk.user_speaks(200 + HOLD_LIMIT_MS + 1_000)

    assert (1, 1) == (len(talk.all(ReplyPaused)), len(talk.all(ReplyResumed)))


def test_a_new_sound_after_that_holds_it_again() -> None:
    talk = a_story()
    talk.user_speaks(200 + HOLD_LIMIT_MS)
    talk.user_is_silent(300)
    talk.user_speaks(300)

    assert 2 == len(talk.all(ReplyPaused))


def test_its_first_moments_can_be_protected() -> None:
    talk = a_story(SessionConfig(interruption=Interruption(protect_first="2s")))
    user_says(talk, "stop it please")

    assert [] == talk.all(ReplyPaused)
    assert [] == talk.all(ReplyCleared)


@pytest.mark.parametrize(
    ("config", "options"),
    [
        (SessionConfig(interruption=Interruption(enabled=False)), SayOptions()),
        (SessionConfig(), SayOptions(allow_interruptions=False)),
    ],
)
@pytest.mark.parametrize(("text", "answered"), [("stop it please", ["stop it please"]), ("okay", [])])
def test_where_interruptions_are_not_allowed_it_is_said_to_its_end(
    config: SessionConfig, options: SayOptions, text: str, answered: list[str]
) -> None:
    talk = a_story(config, options)
    user_says(talk, text, silent_ms=500)
    talk.is_played(sent=LENGTH, heard=LENGTH)

    assert ([], []) == (talk.all(Pause), talk.all(ReplyCleared))
    assert [TEXT] == [done.heard_text for done in talk.all(ReplyDone)]
    assert answered == [message.text for message in talk.engine.history if message.role == "user"]


def test_taking_the_floor_drops_what_waits_but_for_what_must_be_heard() -> None:
    talk = a_story()
    talk.happens(SayAsked("may", "Later.", SayOptions()))
    talk.happens(SayAsked("must", "Important.", SayOptions(allow_interruptions=False)))
    user_says(talk, "stop it please", silent_ms=500)
    talk.is_synthesised(500)
    talk.is_played(500, 500)

    assert ["story", "may", "must"] == [done.utterance_id for done in talk.all(ReplyDone)]
    assert "Important." == talk.last(ReplyDone).heard_text


# --- a reply that nobody has heard yet --------------------------------------------------------------------------


def test_who_goes_on_speaking_gets_one_answer_to_all_of_it() -> None:
    talk = an_unheard_answer()
    user_says(talk, "for two tonight", silent_ms=500)
    first, second = talk.asked

    assert ("book a table", None) == (first.transcript, first.replaces)
    assert ("book a table for two tonight", first.turn_id) == (second.transcript, second.replaces)
    assert ["book a table for two tonight"] == [message.text for message in talk.engine.history]


def test_too_few_words_to_interrupt_are_enough_when_nothing_was_heard() -> None:
    talk = an_unheard_answer()
    user_says(talk, "for two", voiced_ms=200, silent_ms=480)

    assert 1 == len(talk.asked)

    talk.user_is_silent(20)

    assert ["book a table", "book a table for two"] == [ask.transcript for ask in talk.asked]


def test_it_is_held_at_the_first_sound_and_goes_on_after_a_noise() -> None:
    talk = an_unheard_answer()
    talk.user_speaks(100)
    talk.happens(AgentSaid(talk.asked[-1].job, "Certainly."))
    talk.happens(AgentFinished(talk.asked[-1].job))
    talk.is_synthesised(1_000)

    assert [] == talk.all(Play)

    talk.user_is_silent(200)
    talk.is_transcribed("")

    assert 1 == len(talk.all(Play))
    assert ([], []) == (talk.all(ReplyPaused), talk.all(InterruptionJudged))


def test_a_greeting_that_was_not_heard_is_not_taken_for_a_turn() -> None:
    talk = Talk()
    user_says(talk, "good morning to you", silent_ms=500)
    (asked,) = talk.asked

    assert ("good morning to you", None) == (asked.transcript, asked.replaces)


# --- taking it without words ------------------------------------------------------------------------------------


def test_a_command_takes_it_and_the_agent_is_told_what_was_heard() -> None:
    talk = Talk()
    talk.happens(Typed("hello"))
    talk.happens(AgentSaid(talk.asked[-1].job, f"{TEXT} "))
    talk.happens(AgentFinished(talk.asked[-1].job))
    talk.is_synthesised(3_500)
    talk.is_played(1_100, 1_000)
    talk.happens(InterruptAsked())
    told = talk.last(Notify)

    assert ("turn.interrupted", talk.last(ReplyDone).heard_text) == (told.type, told.heard_text)
    assert "Once upon" == told.heard_text
    assert [TurnOutcome.INTERRUPTED] == [done.outcome for done in talk.all(TurnDone)]


def test_without_a_reply_there_is_nothing_to_take() -> None:
    talk = Talk(has_agent=False)

    assert [] == talk.happens(InterruptAsked())
    assert [] == talk.all(Ask)


def test_without_a_hold_there_is_nothing_to_resume() -> None:
    talk = a_story()
    before = len(talk.given)
    talk.engine._floor.resume()

    assert [] == talk.given[before:] + talk.engine._desk.drain()
