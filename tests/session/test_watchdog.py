"""What should never be needed: a turn or a reply that has lost its own deadline is closed, and counted."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from session.config import SessionConfig
from session.events import Detached, Typed
from session.notices import ErrorOccurred, Repaired, ReplyDone, TurnDone, TurnOutcome
from session.states import SessionState
from tests.session.talk import Talk
from tests.sim.caller import Caller, Utterance
from tests.sim.test_properties import CONFIG, callers
from tests.sim.weather import weathers
from tests.sim.world import World

HOUR_MS = 3_600_000
STUCK = {"turn", "reply"}


def repairs(talk: Talk) -> list[str]:
    return [repaired.what for repaired in talk.all(Repaired)]


def forget_deadlines(talk: Talk) -> None:
    """A mistake of ours: nothing will ever come for what is open."""
    deadlines = talk.engine._desk.deadlines
    for name in ("agent", "tts", "final", "playout", "hold", "audio_gap"):
        deadlines.clear(name)


def test_a_reply_that_is_stuck_is_given_up_and_the_user_can_go_on() -> None:
    talk = Talk(SessionConfig(apology="Sorry."))
    talk.happens(Typed("hello"))
    forget_deadlines(talk)
    talk.passes(120_000)

    assert ["reply"] == repairs(talk)
    assert [TurnOutcome.FAILED] == [done.outcome for done in talk.all(TurnDone)]
    assert ["internal_error"] == [error.code for error in talk.all(ErrorOccurred)]
    assert SessionState.LISTENING is talk.engine.state

    talk.is_synthesised(100)
    talk.is_played(100, 100)
    talk.happens(Typed("again"))

    assert "again" == talk.asked[-1].transcript


def test_a_reply_of_nobodys_turn_is_given_up_in_silence() -> None:
    talk = Talk(greeting="Hello.")
    forget_deadlines(talk)
    talk.passes(120_000)

    assert ["reply"] == repairs(talk)
    assert [""] == [done.heard_text for done in talk.all(ReplyDone)]


def test_a_turn_that_is_stuck_is_closed() -> None:
    talk = Talk(has_agent=False)
    talk.user_speaks(400)
    talk.is_transcribed("hello", final=False)
    forget_deadlines(talk)
    talk.passes(HOUR_MS // 4)

    assert ["turn"] == repairs(talk)
    assert [TurnOutcome.INTERRUPTED] == [done.outcome for done in talk.all(TurnDone)]


def test_a_reply_that_waits_for_its_listener_is_not_stuck() -> None:
    talk = Talk(SessionConfig(agent_timeout="2m", user_away_timeout=None), greeting="Hello.")
    talk.is_synthesised(100)
    talk.happens(Detached())
    talk.passes(600_000)

    assert [] == repairs(talk)


def test_a_long_reply_is_not_stuck_as_long_as_it_moves() -> None:
    world = World(Caller(Utterance(500, "go on")), config=SessionConfig(user_away_timeout=None))
    world.start("A long story. " * 400).run_until(400_000)

    assert [] == world.notices(Repaired)


@settings(max_examples=100, deadline=None)
@given(caller=callers, weather=weathers(), silent_after_ms=st.sampled_from([None, 3_000, 20_000]))
def test_in_no_weather_is_it_needed(caller: Caller, weather: object, silent_after_ms: int | None) -> None:
    world = World(caller, weather, CONFIG).start()  # type: ignore[arg-type] # hypothesis gives it as object
    if silent_after_ms is not None:
        world.run_until(silent_after_ms).hang_on_silently()
    world.run_until(HOUR_MS // 4)

    assert set() == {repaired.what for repaired in world.notices(Repaired)} & STUCK
