"""Away and back, the longest call, and a connection that answers no ping. On virtual time."""

from __future__ import annotations

import pytest

from session.commands import Ask, Notify, Ping
from session.config import SessionConfig
from session.events import AgentFinished, AgentSaid, Attached, Detached, DtmfPressed, Failed, Ponged, Typed
from session.notices import Ended, EndReason, ErrorOccurred, Notice, ReplyDone, StateChanged, TurnDone
from session.presence import MISSED_PINGS
from session.states import SessionState
from tests.session.talk import Talk
from tests.sim.caller import Caller, Utterance
from tests.sim.weather import Weather
from tests.sim.world import World

AWAY, LISTENING, SPEAKING = SessionState.AWAY, SessionState.LISTENING, SessionState.SPEAKING
ASKS = Weather(asks_who_is_away=True, agent_answers=("Are you still there?",))


def times_away(world: World) -> list[int | None]:
    return [ask.times_away for ask in world.asked if ask.type == "user.away"]


def told_backs(world: World) -> int:
    return [notify.type for notify in world.notified].count("user.back")


def test_the_agent_is_told_of_a_user_who_is_away_and_of_their_coming_back() -> None:
    world = World(Caller(Utterance(50_000, "hello there"))).start().run_until(60_000)

    assert [1] == times_away(world)
    assert 1 == told_backs(world)


def test_the_agent_may_ask_who_is_there_and_is_heard() -> None:
    world = World(weather=ASKS).start().run_until(35_000)
    done = world.replies()[-1]

    assert [LISTENING, AWAY, LISTENING, SPEAKING, LISTENING] == [state for _, state in world.states()]
    assert "Are you still there?" == done.heard_text
    assert [] == world.notices(TurnDone)


def test_the_agent_is_told_how_often_it_has_asked_in_vain() -> None:
    world = World(weather=ASKS).start().run_until(110_000)

    assert [1, 2, 3] == times_away(world)


def test_the_count_begins_anew_once_the_user_was_heard() -> None:
    caller = Caller(Utterance(40_000, "yes I am here"))
    world = World(caller, Weather(asks_who_is_away=True)).start().run_until(90_000)

    assert [1, 1] == times_away(world)[:2]
    assert 1 == told_backs(world)


def test_asking_who_is_there_does_not_keep_an_empty_line_open() -> None:
    world = World(weather=ASKS, config=SessionConfig(timeout="2m")).start().run_until(200_000)

    assert [120_000] == world.told_at(Ended)
    assert [Ended(EndReason.TIMEOUT)] == world.notices(Ended)


def test_a_user_who_speaks_while_the_agent_thinks_about_them_is_answered_instead() -> None:
    weather = Weather(asks_who_is_away=True, agent_first_ms=(3_000, 50))
    world = World(Caller(Utterance(30_500, "I am here all the time")), weather).start().run_until(50_000)

    assert 1 == len(world.replies())
    assert "I am here all the time" == world.asked[-1].transcript
    assert None is world.asked[-1].replaces


@pytest.mark.parametrize("event", [Typed("hello"), DtmfPressed("1")])
def test_what_is_typed_or_pressed_brings_the_user_back(event: Typed | DtmfPressed) -> None:
    world = World().start().at(40_000, event).run_until(41_000)

    assert (40_000, LISTENING) in world.states()
    assert 1 == told_backs(world)


def test_an_agent_that_refuses_to_hear_of_it_is_no_error() -> None:
    talk = Talk()
    talk.happens(AgentFinished(talk.last(Ask).job))
    talk.passes(30_000)
    talk.happens(Failed(talk.last(Ask).job, "422", retryable=False))

    assert "user.away" == talk.last(Ask).type
    assert [] == talk.all(ErrorOccurred)
    assert AWAY is talk.engine.state


def test_an_agent_that_never_answers_to_it_is_no_error() -> None:
    talk = Talk()
    talk.happens(AgentFinished(talk.last(Ask).job))
    talk.passes(30_000)
    talk.passes(60_000)

    assert [] == talk.all(ErrorOccurred)
    assert AWAY is talk.engine.state


def test_an_agent_may_hang_up_on_nobody() -> None:
    world = World(weather=Weather(asks_who_is_away=True, agent_first_ms=(None,))).start().run_until(30_100)
    world.happen(AgentSaid(world.asked[-1].job, "Goodbye."))

    assert [] == world.notices(Ended)
    assert "user.away" == world.asked[-1].type


def test_without_an_agent_the_user_is_away_all_the_same() -> None:
    talk = Talk(has_agent=False)
    talk.passes(30_000)
    talk.user_speaks(200)

    assert [LISTENING, AWAY, LISTENING] == [changed.state for changed in talk.all(StateChanged)]
    assert [] == talk.all(Notify)


# --- the longest call ---------------------------------------------------------------------------------------------


def test_the_longest_call_ends_whatever_goes_on_in_it() -> None:
    caller = Caller(*(Utterance(at_ms, "and so on and so on") for at_ms in range(1_000, 120_000, 8_000)))
    world = World(caller, config=SessionConfig(max_duration="1m")).start().run_until(120_000)

    assert [60_000] == world.told_at(Ended)
    assert [Ended(EndReason.TIMEOUT)] == world.notices(Ended)


def test_a_call_may_have_no_longest() -> None:
    talk = Talk(SessionConfig(max_duration=None, timeout="24h", user_away_timeout=None))
    talk.passes(23 * 3_600_000)

    assert talk.engine.active


# --- the connection -----------------------------------------------------------------------------------------------

PINGED = SessionConfig(keep_alive_interval="5s", user_away_timeout=None)


def endings(talk: Talk) -> list[Notice]:
    return [*talk.all(ErrorOccurred), *talk.all(Ended)]


def test_a_connection_is_pinged_at_the_interval() -> None:
    talk = Talk(PINGED, has_agent=False, pings=True)
    for _ in range(5):
        talk.passes(5_000)
        talk.happens(Ponged())

    assert 5 == len(talk.all(Ping))
    assert [] == endings(talk)


def test_two_pings_that_nobody_answers_end_the_session() -> None:
    talk = Talk(PINGED, has_agent=False, pings=True)
    for _ in range(MISSED_PINGS + 1):
        talk.passes(5_000)

    assert MISSED_PINGS == len(talk.all(Ping))
    assert ["transport_error"] == [error.code for error in talk.all(ErrorOccurred)]
    assert [Ended(EndReason.ERROR)] == talk.all(Ended)


def test_one_ping_that_is_missed_is_forgiven() -> None:
    talk = Talk(PINGED, has_agent=False, pings=True)
    for _ in range(6):
        talk.passes(5_000)
        talk.passes(5_000)
        talk.happens(Ponged())

    assert [] == endings(talk)


def test_a_connection_that_is_known_to_be_lost_is_not_pinged() -> None:
    talk = Talk(PINGED, has_agent=False, pings=True)
    talk.happens(Detached())
    talk.passes(60_000)
    talk.happens(Attached())
    talk.passes(5_000)

    assert 1 == len(talk.all(Ping))
    assert [] == endings(talk)


@pytest.mark.parametrize(
    ("config", "pings"), [(PINGED, False), (SessionConfig(enable_keep_alive=False, keep_alive_interval="5s"), True)]
)
def test_nobody_is_pinged_who_cannot_answer_or_need_not(config: SessionConfig, pings: bool) -> None:  # noqa: FBT001
    talk = Talk(config, has_agent=False, pings=pings)
    talk.passes(29_000)

    assert [] == talk.all(Ping)


def test_every_reply_to_an_absent_user_is_over_before_the_next() -> None:
    world = World(weather=ASKS).start().run_until(300_000)
    heard = [done.heard_text for done in world.notices(ReplyDone)]

    assert {"Are you still there?"} == set(heard)
