"""Conversations, told as facts and times. Virtual time throughout: nothing here waits."""

from __future__ import annotations

import pytest

from providers.api import Message
from session.config import Endpointing, Interruption, SayOptions, SessionConfig
from session.engine import MAX_WAITING_SAYS
from session.errors import ErrorCode, SessionError
from session.events import AgentDid, DtmfPressed, HungUp, InterruptAsked, SayAsked, SayCancelled, Started, Typed
from session.notices import (
    AgentActed,
    Ended,
    EndReason,
    ErrorOccurred,
    InterruptionJudged,
    ReplyCleared,
    ReplyDone,
    ReplyPaused,
    ReplyResumed,
    ReplyStarted,
    SpeechStarted,
    SpeechStopped,
    TranscriptChanged,
    TurnDone,
    TurnOutcome,
)
from session.states import SessionState
from tests.sim.caller import Caller, Utterance
from tests.sim.weather import Weather
from tests.sim.world import World

STORY = "Once upon a time there was a whale. " * 12
LISTENING, PROCESSING, SPEAKING = SessionState.LISTENING, SessionState.PROCESSING, SessionState.SPEAKING


def finals(world: World) -> list[str]:
    return [notice.text for notice in world.notices(TranscriptChanged) if notice.final]


def outcomes(world: World) -> list[TurnOutcome]:
    return [notice.outcome for notice in world.notices(TurnDone)]


# --- a turn -----------------------------------------------------------------------------------------------------


def test_a_question_is_answered() -> None:
    world = World(Caller(Utterance(1_000, "what time is it"))).start().run_until(20_000)

    assert ["what time is it"] == finals(world)
    assert [LISTENING, PROCESSING, SPEAKING, LISTENING] == [state for _, state in world.states()]
    assert [TurnOutcome.ANSWERED] == outcomes(world)
    assert world.replies()[0].text == world.replies()[0].heard_text
    assert (
        Message("user", "what time is it"),
        Message("assistant", world.replies()[0].text),
    ) == world.engine.history


def test_the_response_is_measured_from_the_last_voiced_sample_to_the_first_frame() -> None:
    weather = Weather(stt_final_ms=(30,), verdicts=(0.95,), agent_first_ms=(50,), tts_first_ms=(90,))
    world = World(Caller(Utterance(1_000, "what time is it")), weather).start().run_until(20_000)
    latency = world.replies()[0].latency

    assert 200 == latency.endpoint_ms
    assert 30 == latency.stt_ms
    assert 50 == latency.agent_ms
    assert 90 == latency.tts_ms
    assert 200 + 50 + 90 == latency.response_ms


def test_speech_is_told_with_its_place_in_the_audio() -> None:
    world = World(Caller(Utterance(1_000, "what time is it"))).start().run_until(5_000)

    assert [SpeechStarted(1_000)] == world.notices(SpeechStarted)
    assert [SpeechStopped(2_200)] == world.notices(SpeechStopped)


def test_interims_are_told_while_the_user_speaks() -> None:
    world = World(Caller(Utterance(1_000, "tell me what time it is now please"))).start().run_until(4_000)
    interims = [notice.text for notice in world.notices(TranscriptChanged) if not notice.final]

    assert "tell me what time it is now please" == interims[-1]
    assert len(interims) > 2
    assert all(interims[-1].startswith(text) for text in interims)


def test_a_verdict_that_it_goes_on_waits_longer() -> None:
    said = Utterance(1_000, "i would like to")
    sure = World(Caller(said), Weather(verdicts=(0.95,))).start().run_until(10_000)
    unsure = World(Caller(said), Weather(verdicts=(0.1,))).start().run_until(10_000)
    silent = World(Caller(said), Weather(verdict_ms=(None,))).start().run_until(10_000)

    assert [200] == [done.latency.endpoint_ms for done in sure.notices(TurnDone)]
    assert [2_120] == [done.latency.endpoint_ms for done in unsure.notices(TurnDone)]
    assert [500] == [done.latency.endpoint_ms for done in silent.notices(TurnDone)]


def test_speech_that_goes_on_within_the_wait_is_the_same_turn() -> None:
    caller = Caller(Utterance(1_000, "i would like to"), Utterance(3_400, "book a table"))
    world = World(caller, Weather(verdicts=(0.1, 0.95))).start().run_until(10_000)

    assert ["i would like to book a table"] == finals(world)
    assert 1 == len([ask for ask in world.asked if ask.type == "turn"])


def test_a_noise_without_words_is_an_empty_turn_and_nothing_is_asked() -> None:
    world = World(Caller(Utterance(1_000, noise_ms=300))).start().run_until(5_000)

    assert [TurnOutcome.EMPTY] == outcomes(world)
    assert ["session.started"] == [ask.type for ask in world.asked]
    assert [LISTENING] == [state for _, state in world.states()]


def test_a_click_is_not_speech() -> None:
    world = World(Caller(Utterance(1_000, noise_ms=40))).start().run_until(5_000)

    assert [] == world.notices(SpeechStarted)


def test_audio_that_stops_coming_in_the_middle_of_speech_ends_the_turn() -> None:
    world = World(Caller(Utterance(1_000, "what time is it " * 5))).start().run_until(2_500)
    world.audio_flows = False
    world.run_until(20_000)

    assert [TurnOutcome.ANSWERED] == outcomes(world)


def test_an_utterance_that_never_ends_is_ended_at_its_limit() -> None:
    config = SessionConfig(max_utterance="5s")
    said = "a b c d e f g h i j k l m n o p q r s t u v w x y z 1 2 3 4 5 6 7 8 9"
    world = World(Caller(Utterance(1_000, said)), config=config).start().run_until(30_000)

    assert 3 == len(finals(world))
    assert said == " ".join(finals(world))


def test_a_typed_turn_is_answered() -> None:
    world = World().start().at(1_000, Typed("hello")).run_until(10_000)

    assert ["hello"] == finals(world)
    assert [TurnOutcome.ANSWERED] == outcomes(world)


def test_digits_are_asked_as_dtmf() -> None:
    world = World().start().at(1_000, DtmfPressed("5")).run_until(10_000)

    assert [("dtmf", "5")] == [(ask.type, ask.digits) for ask in world.asked if ask.digits]
    assert [TurnOutcome.ANSWERED] == outcomes(world)


def test_an_agent_that_says_nothing_is_an_answer() -> None:
    world = World(Caller(Utterance(1_000, "hello there")), Weather(agent_answers=("",))).start().run_until(5_000)

    assert [TurnOutcome.ANSWERED] == outcomes(world)
    assert LISTENING is world.engine.state


# --- interruption -----------------------------------------------------------------------------------------------


def test_speech_pauses_the_reply_and_three_words_take_the_floor() -> None:
    caller = Caller(Utterance(1_000, "tell me a story"), Utterance(6_000, "stop it please now"))
    world = World(caller, Weather(agent_answers=(STORY, "Fine."))).start().run_until(20_000)
    onset_ms = 6_000

    assert [onset_ms + 200] == world.told_at(ReplyPaused)
    assert [True] == [judged.committed for judged in world.notices(InterruptionJudged)]
    assert 200 == world.notices(InterruptionJudged)[0].stop_ms
    assert not [frame for frame in world.played if onset_ms + 200 < frame.at_ms < onset_ms + 1_400]
    assert [TurnOutcome.INTERRUPTED, TurnOutcome.ANSWERED] == outcomes(world)


def test_what_was_heard_is_all_that_history_keeps() -> None:
    caller = Caller(Utterance(1_000, "tell me a story"), Utterance(6_000, "stop it please now"))
    world = World(caller, Weather(agent_answers=(STORY, "Fine."))).start().run_until(20_000)
    cut = world.replies()[0]
    second_ask = world.asked[-1]

    assert cut.interrupted
    assert cut.text.startswith(cut.heard_text)
    assert 5 < len(cut.heard_text.split()) < 15
    assert Message("assistant", cut.heard_text, interrupted=True) == second_ask.history[-1]
    assert "turn.interrupted" == world.notified[0].type
    assert cut.heard_text == world.notified[0].heard_text


def test_a_cough_only_pauses() -> None:
    caller = Caller(Utterance(1_000, "tell me a story"), Utterance(6_000, noise_ms=400))
    world = World(caller, Weather(agent_answers=(STORY,))).start().run_until(60_000)

    assert 1 == len(world.notices(ReplyPaused))
    assert 1 == len(world.notices(ReplyResumed))
    assert [False] == [judged.committed for judged in world.notices(InterruptionJudged)]
    assert world.replies()[0].heard_text == world.replies()[0].text


@pytest.mark.parametrize("text", ["uh huh", "okay", "yeah yeah right"])
def test_a_backchannel_does_not_take_the_floor(text: str) -> None:
    caller = Caller(Utterance(1_000, "tell me a story"), Utterance(6_000, text))
    world = World(caller, Weather(agent_answers=(STORY,))).start().run_until(60_000)

    assert [] == world.notices(ReplyCleared)
    assert [TurnOutcome.EMPTY, TurnOutcome.ANSWERED] == outcomes(world)


def test_the_reply_goes_on_with_the_sample_after_the_last_one_sent() -> None:
    caller = Caller(Utterance(1_000, "tell me a story"), Utterance(6_000, noise_ms=400))
    world = World(caller, Weather(agent_answers=(STORY,))).start().run_until(60_000)

    assert world.samples_of_job == {
        job: sum(frame.samples for frame in world.played if frame.job == job) for job in world.samples_of_job
    }


def test_too_few_words_are_answered_when_the_reply_is_over() -> None:
    caller = Caller(Utterance(1_000, "tell me a story"), Utterance(6_000, "louder please"))
    world = World(caller, Weather(agent_answers=(STORY, "Fine."))).start().run_until(90_000)

    assert ["tell me a story", "louder please"] == finals(world)
    assert [TurnOutcome.ANSWERED, TurnOutcome.ANSWERED] == outcomes(world)


def test_words_that_add_up_over_a_pause_take_the_floor() -> None:
    caller = Caller(
        Utterance(1_000, "tell me a story"), Utterance(6_000, "no wait"), Utterance(7_200, "something else")
    )
    world = World(caller, Weather(agent_answers=(STORY, "Fine."))).start().run_until(30_000)

    assert ["tell me a story", "no wait something else"] == finals(world)
    assert [TurnOutcome.INTERRUPTED, TurnOutcome.ANSWERED] == outcomes(world)


def test_either_condition_is_enough_with_or() -> None:
    config = SessionConfig(interruption=Interruption(combine="or"))
    caller = Caller(Utterance(1_000, "tell me a story"), Utterance(6_000, "stop that"))
    world = World(caller, Weather(agent_answers=(STORY, "Fine.")), config).start().run_until(20_000)

    assert [TurnOutcome.INTERRUPTED, TurnOutcome.ANSWERED] == outcomes(world)


def test_the_first_moments_of_a_reply_can_be_protected() -> None:
    config = SessionConfig(interruption=Interruption(protect_first="10s"))
    caller = Caller(Utterance(1_000, "tell me a story"), Utterance(6_000, "stop it please now"))
    world = World(caller, Weather(agent_answers=(STORY, "Fine.")), config).start().run_until(90_000)

    assert [] == world.notices(ReplyPaused)
    assert [] == world.notices(ReplyCleared)


def test_a_reply_that_may_not_be_interrupted_is_not_even_paused() -> None:
    world = World(Caller(Utterance(2_000, "stop it please now"))).start()
    world.at(500, SayAsked("a", STORY, SayOptions(allow_interruptions=False))).run_until(60_000)

    assert [] == world.notices(ReplyPaused)
    assert world.replies()[0].heard_text == world.replies()[0].text
    assert ["stop it please now"] == finals(world)


def test_sound_that_never_becomes_words_holds_the_reply_five_seconds_at_most() -> None:
    caller = Caller(Utterance(1_000, "tell me a story"), Utterance(6_000, noise_ms=20_000))
    world = World(caller, Weather(agent_answers=(STORY,))).start().run_until(90_000)

    assert [11_200] == world.told_at(ReplyResumed)
    assert world.replies()[0].heard_text == world.replies()[0].text


def test_the_user_who_goes_on_before_anything_is_heard_gets_one_answer_to_all_of_it() -> None:
    caller = Caller(Utterance(1_000, "book a table"), Utterance(2_300, "for two tonight"))
    world = World(caller, Weather(agent_first_ms=(2_000, 50))).start().run_until(20_000)
    first, second = (ask for ask in world.asked if ask.type == "turn")

    assert ("book a table", None) == (first.transcript, first.replaces)
    assert ("book a table for two tonight", first.turn_id) == (second.transcript, second.replaces)
    assert () == second.history
    assert [TurnOutcome.INTERRUPTED, TurnOutcome.ANSWERED] == outcomes(world)


def test_a_noise_while_the_agent_thinks_costs_nothing_but_a_moment() -> None:
    caller = Caller(Utterance(1_000, "what time is it"), Utterance(2_600, noise_ms=300))
    world = World(caller, Weather(agent_first_ms=(500,))).start().run_until(20_000)

    assert 1 == len([ask for ask in world.asked if ask.type == "turn"])
    assert [TurnOutcome.EMPTY, TurnOutcome.ANSWERED] == outcomes(world)


def test_interrupting_by_command_cuts_the_reply_and_drops_what_waits() -> None:
    world = World().start()
    world.at(500, SayAsked("a", STORY, SayOptions())).at(600, SayAsked("b", "Later.", SayOptions()))
    world.at(3_000, InterruptAsked()).run_until(20_000)

    assert [("a", True), ("b", True)] == [(done.utterance_id, done.interrupted) for done in world.replies()]
    assert [] == [frame for frame in world.played if frame.at_ms > 3_000]


def test_a_typed_turn_takes_the_floor_from_the_reply() -> None:
    world = World().start().at(500, SayAsked("a", STORY, SayOptions())).at(3_000, Typed("enough")).run_until(20_000)

    assert world.replies()[0].interrupted
    assert [TurnOutcome.ANSWERED] == outcomes(world)


# --- saying -----------------------------------------------------------------------------------------------------


def test_says_are_said_one_after_another() -> None:
    world = World().start()
    for index, utterance_id in enumerate("abc"):
        world.at(500 + index, SayAsked(utterance_id, f"This is {utterance_id}.", SayOptions()))
    world.run_until(20_000)

    assert ["a", "b", "c"] == [done.utterance_id for done in world.replies()]
    assert all(done.heard_text == done.text and not done.interrupted for done in world.replies())


def test_a_say_waits_until_the_user_has_finished_and_is_answered() -> None:
    world = World(Caller(Utterance(1_000, "what time is it"))).start()
    world.at(1_500, SayAsked("a", "By the way.", SayOptions())).run_until(20_000)

    assert [None, "a"] == [done.utterance_id for done in world.replies()]


def test_a_waiting_say_can_be_cancelled() -> None:
    world = World().start().at(500, SayAsked("a", STORY, SayOptions())).at(600, SayAsked("b", "No.", SayOptions()))
    world.at(700, SayCancelled("b")).run_until(60_000)

    assert [("b", ""), ("a", world.replies()[1].text)] == [
        (done.utterance_id, done.heard_text) for done in world.replies()
    ]


def test_a_say_that_is_spoken_can_be_cancelled_even_where_it_may_not_be_interrupted() -> None:
    world = World().start().at(500, SayAsked("a", STORY, SayOptions(allow_interruptions=False)))
    world.at(3_000, SayCancelled("a")).run_until(20_000)

    assert world.replies()[0].interrupted
    assert [] == [frame for frame in world.played if frame.at_ms > 3_000]


def test_a_say_of_nothing_that_can_be_spoken_is_done_at_once() -> None:
    world = World().start().at(500, SayAsked("a", "---", SayOptions())).run_until(600)

    assert ["a"] == [done.utterance_id for done in world.replies()]
    assert LISTENING is world.engine.state


def test_too_many_says_are_refused() -> None:
    world = World().start().run_until(100)
    for index in range(MAX_WAITING_SAYS + 1):
        world.happen(SayAsked(str(index), "Again.", SayOptions()))
    with pytest.raises(SessionError) as error:
        world.happen(SayAsked("more", "Again.", SayOptions()))

    assert ErrorCode.CAPACITY is error.value.code


def test_a_greeting_is_said_at_the_start() -> None:
    world = World().start("Hello! How can I help?").run_until(10_000)

    assert ["Hello! How can I help?"] == [done.heard_text for done in world.replies()]
    assert (Message("assistant", "Hello! How can I help?"),) == world.engine.history


# --- failures ---------------------------------------------------------------------------------------------------


def test_an_agent_that_fails_twice_is_asked_three_times() -> None:
    weather = Weather(agent_fails=("retryable", "retryable", ""))
    world = World(Caller(Utterance(1_000, "what time is it")), weather).start().run_until(30_000)

    assert 3 == len([ask for ask in world.asked if ask.type == "turn"])
    assert [] == world.notices(ErrorOccurred)
    assert [TurnOutcome.ANSWERED] == outcomes(world)


@pytest.mark.parametrize("weather", [Weather(agent_fails=("permanent",)), Weather(agent_first_ms=(None,))])
def test_an_agent_that_gives_no_answer_is_an_error_and_an_apology(weather: Weather) -> None:
    world = World(Caller(Utterance(1_000, "what time is it")), weather).start().run_until(20_000)

    assert [ErrorCode.AGENT_ERROR] == [error.code for error in world.notices(ErrorOccurred)]
    assert [TurnOutcome.FAILED] == outcomes(world)
    assert [SessionConfig().apology] == [done.heard_text for done in world.replies()]
    assert LISTENING is world.engine.state


def test_an_agent_that_breaks_off_is_heard_as_far_as_it_came() -> None:
    weather = Weather(agent_answers=("Sure. One moment. Here it is.",), agent_fails=("midway",))
    world = World(Caller(Utterance(1_000, "what time is it")), weather).start().run_until(30_000)

    assert "Sure. One mome" == world.replies()[0].heard_text
    assert [TurnOutcome.FAILED] == outcomes(world)


def test_a_voice_that_fails_is_tried_again_while_nothing_was_heard() -> None:
    weather = Weather(tts_fails=("retryable", "", "", ""))
    world = World(Caller(Utterance(1_000, "what time is it")), weather).start().run_until(30_000)

    assert [TurnOutcome.ANSWERED] == outcomes(world)


def test_a_voice_that_is_lost_leaves_the_session_listening() -> None:
    weather = Weather(tts_first_ms=(None,))
    world = World(Caller(Utterance(1_000, "what time is it")), weather).start().run_until(20_000)

    assert {ErrorCode.TTS_ERROR} == {error.code for error in world.notices(ErrorOccurred)}
    assert [TurnOutcome.FAILED] == outcomes(world)
    assert LISTENING is world.engine.state


def test_a_recogniser_that_breaks_hears_the_utterance_again() -> None:
    weather = Weather(stt_fails=("retryable", ""))
    config = SessionConfig(retry_delay="100ms")
    world = World(Caller(Utterance(1_000, "tell me what time it is")), weather, config).start().run_until(30_000)

    assert ["tell me what time it is"] == finals(world)


def test_a_recogniser_that_stalls_is_an_error_and_an_apology() -> None:
    weather = Weather(stt_final_ms=(None,), interim_every_ms=None)
    world = World(Caller(Utterance(1_000, "what time is it")), weather).start().run_until(60_000)

    assert [ErrorCode.STT_ERROR] == [error.code for error in world.notices(ErrorOccurred)]
    assert [TurnOutcome.FAILED] == outcomes(world)
    assert [SessionConfig().apology] == [done.heard_text for done in world.replies()]


# --- life -------------------------------------------------------------------------------------------------------


def test_hanging_up_waits_for_the_last_word() -> None:
    world = World().start()
    world.at(1_000, Typed("goodbye")).run_until(1_060)
    world.happen(AgentDid(world.asked[-1].job, "hangup"))
    world.run_until(30_000)

    assert [Ended(EndReason.AGENT)] == world.notices(Ended)
    assert world.replies()[0].heard_text == world.replies()[0].text
    assert world.told_at(ReplyDone) == world.told_at(Ended)


def test_a_transfer_is_told_after_the_last_word() -> None:
    world = World().start()
    world.at(1_000, Typed("a human please")).run_until(1_060)
    world.happen(AgentDid(world.asked[-1].job, "transfer", to="+3212"))
    world.run_until(30_000)

    assert ["+3212"] == [acted.to for acted in world.notices(AgentActed)]
    assert world.told_at(ReplyDone) == world.told_at(AgentActed)


def test_nobody_speaks_and_the_user_is_away_until_they_do() -> None:
    world = World(Caller(Utterance(50_000, "hello there"))).start().run_until(60_000)
    states = world.states()

    assert (30_010, SessionState.AWAY) == states[1]
    assert (50_060, LISTENING) == states[2]
    assert [TurnOutcome.ANSWERED] == outcomes(world)


def test_a_session_in_which_nothing_happens_ends_by_timeout() -> None:
    world = World(config=SessionConfig(timeout="1m")).start().run_until(70_000)

    assert [Ended(EndReason.TIMEOUT)] == world.notices(Ended)
    assert [60_000] == world.told_at(Ended)
    assert world.engine.next_deadline() is None


def test_stopping_cuts_the_reply_and_tells_the_agent() -> None:
    world = World().start().at(500, SayAsked("a", STORY, SayOptions())).at(3_000, HungUp(EndReason.CLIENT))
    world.run_until(20_000)

    assert world.replies()[0].interrupted
    assert ["session.ended"] == [notify.type for notify in world.notified]
    assert [] == [frame for frame in world.played if frame.at_ms > 3_000]
    assert SessionState.ENDED is world.engine.state


@pytest.mark.parametrize("event", [Typed("x"), DtmfPressed("1"), InterruptAsked(), HungUp(EndReason.CLIENT)])
def test_nothing_can_be_asked_of_a_session_that_is_not_active(
    event: Typed | DtmfPressed | InterruptAsked | HungUp,
) -> None:
    world = World()
    with pytest.raises(SessionError) as error:
        world.happen(event)

    assert ErrorCode.SESSION_NOT_ACTIVE is error.value.code
    assert SessionState.INITIAL is world.engine.state


def test_a_session_is_started_once_and_again_after_its_end() -> None:
    world = World().start()
    with pytest.raises(SessionError) as error:
        world.happen(Started())
    world.happen(Typed("hello"))
    world.happen(HungUp(EndReason.CLIENT))
    world.happen(Started())

    assert ErrorCode.SESSION_ALREADY_ACTIVE is error.value.code
    assert LISTENING is world.engine.state
    assert () == world.engine.history


@pytest.mark.parametrize("text", ["", "   "])
def test_an_empty_text_is_invalid_input(text: str) -> None:
    world = World().start()
    for event in (Typed(text), SayAsked("a", text, SayOptions())):
        with pytest.raises(SessionError) as error:
            world.happen(event)

        assert ErrorCode.INVALID_INPUT is error.value.code


def test_a_reply_is_started_once() -> None:
    world = World(Caller(Utterance(1_000, "what time is it"))).start().run_until(20_000)

    assert 1 == len(world.notices(ReplyStarted))


def test_silence_thresholds_are_settings() -> None:
    config = SessionConfig(endpointing=Endpointing(minimum_silence="350ms"))
    world = World(Caller(Utterance(1_000, "what time is it")), config=config).start().run_until(20_000)

    assert 360 == world.replies()[0].latency.endpoint_ms
