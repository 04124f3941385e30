"""Which of the words that are heard are our own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from session.commands import Ask, Pause
from session.config import SessionConfig
from session.echo import EchoGuard, Overlap, without_echo
from session.events import AgentFinished, AgentSaid, Typed
from session.notices import InterruptionJudged, ReplyCleared, TranscriptChanged, TurnDone, TurnOutcome
from session.playout import Playout
from tests.session.talk import Talk

PLAYED = "the keeper climbed two hundred and twelve steps every evening and polished the great lens"


@pytest.mark.parametrize("line_echoes", [False, True])
@pytest.mark.parametrize(
    "heard",
    [
        "two hundred and twelve",
        "Climbed two hundred and twelve steps.",
        "keeper climbed two hundred in twelve steps",  # a slip of the recogniser
        "keepers climbed to hundred and twelve steps",
        "and polished the great lens",
        "shed the great lens",  # only the end of a word was heard
        "lens",
    ],
)
def test_what_was_being_played_is_an_echo(heard: str, line_echoes: bool) -> None:  # noqa: FBT001
    assert "" == without_echo(heard, PLAYED, line_echoes=line_echoes)


@pytest.mark.parametrize("line_echoes", [False, True])
@pytest.mark.parametrize(
    "heard",
    [
        "stop please",
        "no I want to talk to a human",
        "what time is it",
        "hold on the line please",
        "great but I have a question about the bill",
    ],
)
def test_what_the_caller_says_themselves_is_kept_whole(heard: str, line_echoes: bool) -> None:  # noqa: FBT001
    assert heard == without_echo(heard, PLAYED, line_echoes=line_echoes)


def test_on_a_line_that_echoes_what_was_played_is_taken_out_of_what_was_said() -> None:
    heard = "climbed two hundred and wait a moment please"

    assert "wait a moment please" == without_echo(heard, PLAYED, line_echoes=True)
    assert heard == without_echo(heard, PLAYED, line_echoes=False)


def test_nothing_is_heard_or_nothing_is_played() -> None:
    assert "" == without_echo("", PLAYED, line_echoes=True)
    assert "two hundred" == without_echo("two hundred", "", line_echoes=True)
    assert "..." == without_echo("...", PLAYED, line_echoes=True)


@given(st.lists(st.sampled_from(PLAYED.split()), min_size=1), st.booleans())
def test_every_stretch_of_what_was_played_is_an_echo(start: list[str], line_echoes: bool) -> None:  # noqa: FBT001
    at = len(start) % len(PLAYED.split())
    stretch = " ".join(PLAYED.split()[at:])

    assert "" == without_echo(stretch, PLAYED, line_echoes=line_echoes)


@given(st.text(alphabet="xyz ", max_size=40), st.booleans())
def test_words_that_were_not_played_are_never_lost(heard: str, line_echoes: bool) -> None:  # noqa: FBT001
    assert heard == without_echo(heard, PLAYED, line_echoes=line_echoes)


# --- the guard ----------------------------------------------------------------------------------------------------


def overlap(heard_samples: int) -> Overlap:
    """A second a word, at 1,000 Hz, all of it sent."""
    playout = Playout(1_000)
    playout.begin_piece("one four nine")
    playout.spoken(12_000, ())
    playout.spoken_whole()
    playout.played(12_000, heard_samples)
    return Overlap(playout, heard_samples)


def test_only_what_was_in_the_air_can_come_back() -> None:
    guard = EchoGuard(1_000)

    assert "one" == guard.own_words("one", overlap(10_000), 1_000, final=True)
    assert "" == guard.own_words("nine", overlap(10_000), 1_000, final=True)
    assert "nine" == guard.own_words("nine", None, 1_000, final=True)


def test_a_line_is_known_to_echo_after_some_words() -> None:
    guard = EchoGuard(1_000)
    guard.own_words("nine", overlap(10_000), 1_000, final=True)
    once = guard.line_echoes
    guard.own_words("four nine", overlap(6_000), 1_000, final=True)

    assert not once
    assert guard.line_echoes


def test_an_interim_is_no_evidence() -> None:
    guard = EchoGuard(1_000)
    for _ in range(5):
        guard.own_words("four nine", overlap(6_000), 1_000, final=False)

    assert not guard.line_echoes


def test_a_moment_of_an_echo_that_is_cancelled_has_no_words_of_the_callers() -> None:
    guard = EchoGuard(1_000)
    guard.is_cancelled = True

    assert guard.line_echoes
    assert "" == guard.own_words("oh mate", overlap(6_000), 300, final=True)
    assert "oh mate" == guard.own_words("oh mate", overlap(6_000), 500, final=True)
    assert "oh mate" == guard.own_words("oh mate", None, 300, final=True)


# --- in a call ----------------------------------------------------------------------------------------------------


def a_talk_that_is_told_a_story() -> Talk:
    talk = Talk(SessionConfig(user_away_timeout=None))
    talk.happens(AgentFinished(talk.last(Ask).job))
    talk.happens(Typed("a story"))
    talk.happens(AgentSaid(talk.last(Ask).job, PLAYED + "."))
    talk.happens(AgentFinished(talk.last(Ask).job))
    talk.is_synthesised(6_000)
    talk.passes(100)
    talk.is_played(2_500, 2_400)
    return talk


def echo(talk: Talk, text: str, voiced_ms: int) -> None:
    talk.user_speaks(voiced_ms)
    talk.is_transcribed(text, final=False)
    talk.user_is_silent(200)
    talk.is_transcribed(text)
    talk.user_is_silent(1_500)


def test_our_own_words_never_take_the_floor() -> None:
    talk = a_talk_that_is_told_a_story()
    echo(talk, "hundred and twelve", 800)

    assert [] == talk.all(ReplyCleared)
    assert [False] == [judged.committed for judged in talk.all(InterruptionJudged)]
    assert [] == talk.all(TranscriptChanged)[1:]
    assert [TurnOutcome.EMPTY] == [done.outcome for done in talk.all(TurnDone)]


def test_once_a_line_is_known_to_echo_a_sound_alone_does_not_pause_the_reply() -> None:
    talk = a_talk_that_is_told_a_story()
    echo(talk, "hundred and twelve", 800)
    pauses = len(talk.all(Pause))
    talk.is_played(3_600, 3_500)
    echo(talk, "steps every evening", 800)

    assert 1 == pauses == len(talk.all(Pause))


def test_words_of_their_own_take_the_floor_over_the_echo() -> None:
    talk = a_talk_that_is_told_a_story()
    echo(talk, "hundred and twelve", 800)
    talk.user_speaks(800)
    talk.is_transcribed("and twelve steps no please wait", final=False)

    assert 1 == len(talk.all(ReplyCleared))
