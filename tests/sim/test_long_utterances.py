"""Who speaks on past the longest utterance: in turn after turn, every word once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.api import Message
from session.config import Interruption, SayOptions, SessionConfig
from session.events import SayAsked
from session.notices import TranscriptChanged, TurnDone
from session.states import SessionState
from tests.recordings import TWO_CITIES
from tests.sim.caller import WORD_MS, Caller, Utterance
from tests.sim.weather import FAIR
from tests.sim.world import World

LIMITED = SessionConfig(max_utterance="20s", user_away_timeout=None)
LONG = f"{TWO_CITIES.text} {TWO_CITIES.text}"
"""71 s of it, at the pace of a simulated caller."""


def finals(world: World) -> list[str]:
    return [told.text for told in world.notices(TranscriptChanged) if told.final]


def a_long_call(config: SessionConfig = LIMITED, **weather: object) -> World:
    world = World(Caller(Utterance(1_000, LONG)), replace(FAIR, **weather), config)  # type: ignore[arg-type] # by name
    return world.start().run_until(100_000)


def test_every_word_is_said_once_in_the_turns_together() -> None:
    world = a_long_call()

    assert 4 == len(finals(world))
    assert LONG == " ".join(finals(world))


@pytest.mark.parametrize("late_ms", [0, 300, 1_500, 4_000])
def test_what_is_said_while_the_final_is_made_is_not_lost(late_ms: int) -> None:
    world = a_long_call(stt_final_ms=(late_ms,))

    assert LONG == " ".join(finals(world))


def test_each_turn_is_asked_and_stands_in_the_history_by_itself() -> None:
    world = a_long_call()

    assert finals(world) == [ask.transcript for ask in world.asked if ask.type == "turn"]
    assert finals(world) == [message.text for message in world.engine.history if message.role == "user"]


def test_an_answer_to_a_turn_that_was_cut_is_not_heard_while_they_go_on() -> None:
    world = a_long_call()
    outcomes = [done.outcome.value for done in world.notices(TurnDone)]

    assert ["interrupted", "interrupted", "interrupted", "answered"] == outcomes
    assert world.played[0].at_ms > 1_000 + len(LONG.split()) * WORD_MS


def test_every_turn_has_its_own_number() -> None:
    world = a_long_call()
    asked = [ask for ask in world.asked if ask.type == "turn"]

    assert 4 == len({ask.turn_id for ask in asked})
    assert [None] * 4 == [ask.replaces for ask in asked]


def test_who_may_not_interrupt_is_heard_whole_and_answered_after_the_reply() -> None:
    world = World(Caller(Utterance(1_000, LONG)), config=LIMITED).start()
    world.at(500, SayAsked("a", "word " * 250, SayOptions(allow_interruptions=False))).run_until(150_000)

    assert [LONG] == finals(world)
    assert [Message("user", LONG)] == [message for message in world.engine.history if message.role == "user"]


def test_where_nobody_may_interrupt_nothing_is_lost_either() -> None:
    world = a_long_call(replace(LIMITED, interruption=Interruption(enabled=False)))

    assert LONG.split() == " ".join(finals(world)).split()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.text("abcdefghijklmnopqrstuvwxyz", min_size=3, max_size=9), min_size=20, max_size=60, unique=True),
    st.lists(st.sampled_from([0, 60, 150, 400, 900]), min_size=1, max_size=4),
    st.sampled_from(["3s", "5s", "7.5s"]),
)
def test_whatever_is_said_is_said_once(words: list[str], late_ms: list[int], limit: str) -> None:
    config = SessionConfig(max_utterance=limit, user_away_timeout=None)
    world = World(Caller(Utterance(1_000, " ".join(words))), replace(FAIR, stt_final_ms=tuple(late_ms)), config)
    world.start().run_until(40_000)

    assert words == " ".join(finals(world)).split()
    assert world.engine.state is SessionState.LISTENING
