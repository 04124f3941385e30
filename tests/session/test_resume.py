"""The connection is lost and comes back: what is being said waits for it, and everything else goes on."""

from __future__ import annotations

import pytest

from session.commands import Pause, Play, Rewind
from session.config import SayOptions, SessionConfig
from session.errors import SessionError
from session.events import Attached, Detached, HungUp, InterruptAsked, SayAsked, Typed
from session.notices import Ended, EndReason, ErrorOccurred, ReplyDone, TurnDone, TurnOutcome
from session.states import SessionState
from tests.session.talk import Talk
from tests.sim.caller import Caller, Utterance
from tests.sim.weather import Weather
from tests.sim.world import World

STORY = "Once upon a time there was a whale. " * 6


def a_story_cut_off(lost_ms: int, back_ms: int) -> World:
    caller, weather = Caller(Utterance(1_000, "tell me a story")), Weather(agent_answers=(STORY,))
    return World(caller, weather).start().at(lost_ms, Detached()).at(back_ms, Attached())


def heard_samples(world: World) -> int:
    return sum(frame.samples for frame in world.played)


def test_the_reply_waits_where_it_was_heard_to_and_then_goes_on() -> None:
    world = a_story_cut_off(lost_ms=6_000, back_ms=16_000).run_until(60_000)
    (done,) = world.replies()

    assert not [frame for frame in world.played if 6_000 <= frame.at_ms < 16_000]
    assert done.text == done.heard_text
    assert not done.interrupted
    assert sum(world.samples_of_job.values()) == heard_samples(world)
    assert [] == world.notices(ErrorOccurred)


def test_a_reply_that_begins_while_nobody_listens_waits_too_and_its_wait_is_no_latency() -> None:
    world = a_story_cut_off(lost_ms=2_300, back_ms=10_000).run_until(60_000)
    (done,) = world.replies()

    assert 10_000 == world.played[0].at_ms
    assert done.text == done.heard_text
    assert done.latency.response_ms is None


def test_what_the_user_was_saying_is_answered_when_they_are_back() -> None:
    caller = Caller(Utterance(1_000, "what time is it right now please"))
    world = World(caller).start().run_until(2_000)
    world.happen(Detached())
    world.audio_flows = False
    world.run_until(8_000)
    asked = [ask.transcript for ask in world.asked if ask.type == "turn"]
    before = heard_samples(world)
    world.happen(Attached())
    world.run_until(20_000)

    assert ["what time is it"] == asked
    assert 0 == before
    assert [TurnOutcome.ANSWERED] == [done.outcome for done in world.notices(TurnDone)]
    assert world.replies()[0].text == world.replies()[0].heard_text


def test_a_reply_that_is_cut_while_nobody_listens_keeps_only_what_was_heard() -> None:
    world = a_story_cut_off(lost_ms=6_000, back_ms=16_000).at(10_000, InterruptAsked()).run_until(60_000)
    (done,) = world.replies()

    assert done.interrupted
    assert 0 < len(done.heard_text) < len(STORY)
    assert 16_000 > world.told_at(ReplyDone)[0]


def test_a_reply_held_for_the_user_goes_on_only_when_somebody_listens_again() -> None:
    talk = Talk(has_agent=False)
    talk.happens(SayAsked("a", "A long story. And more of it.", SayOptions()))
    talk.is_synthesised(5_000)
    talk.is_played(sent=500, heard=400)
    talk.user_speaks(400)
    talk.happens(Detached())
    talk.user_is_silent(5_000)
    played = len(talk.all(Play))
    talk.happens(Attached())

    assert (1, 2) == (played, len(talk.all(Play)))


def test_losing_it_twice_is_losing_it_once_and_so_is_coming_back() -> None:
    talk = Talk(has_agent=False)
    talk.happens(SayAsked("a", "A long story.", SayOptions()))
    talk.is_synthesised(5_000)
    for event in (Attached(), Detached(), Detached(), Attached(), Attached()):
        talk.happens(event)

    assert (2, 1, 1) == (len(talk.all(Play)), len(talk.all(Pause)), len(talk.all(Rewind)))


def test_time_goes_on_while_nobody_listens() -> None:
    config = SessionConfig(timeout="1m", user_away_timeout="5s")
    world = World(config=config).start().at(1_000, Detached())
    world.hang_on_silently()
    world.run_until(90_000)

    assert SessionState.AWAY in [state for _, state in world.states()]
    assert [Ended(EndReason.TIMEOUT)] == world.notices(Ended)


def test_a_new_run_of_the_session_is_heard() -> None:
    world = World().start()
    world.happen(Detached())
    world.happen(HungUp(EndReason.CLIENT))
    world.start()
    world.ended = False
    world.happen(Typed("hello"))
    world.run_until(10_000)

    assert world.replies()[-1].heard_text


@pytest.mark.parametrize("event", [Detached(), Attached()])
def test_a_session_that_is_not_active_has_no_connection(event: Detached | Attached) -> None:
    with pytest.raises(SessionError, match="session_not_active"):
        Talk(started=False).happens(event)
