"""The user's turn: finals that are asked for, void, late or lost, and how it ends."""

from __future__ import annotations

from session.commands import Cancel, Feed, Finalise
from session.config import Endpointing, SessionConfig
from session.desk import Desk
from session.endpointing import FINALISE_AFTER_MS
from session.errors import ErrorCode
from session.events import Failed, Judged, Transcribed
from session.listening import OVERLAP_MS, Listener
from session.notices import ErrorOccurred, SpeechStarted, SpeechStopped, TranscriptChanged, TurnDone, TurnOutcome
from tests.session.talk import Talk


def finals(talk: Talk) -> list[str]:
    return [told.text for told in talk.all(TranscriptChanged) if told.final]


def test_the_final_is_asked_for_at_the_onset_of_silence() -> None:
    talk = Talk(has_agent=False)
    talk.user_speaks(400)
    talk.user_is_silent(FINALISE_AFTER_MS - 20)

    assert [] == talk.all(Finalise)

    talk.user_is_silent(20)

    assert [Finalise(talk.last(Feed).job)] == talk.all(Finalise)


def test_the_turn_ends_with_the_final_when_the_silence_was_long_enough_before() -> None:
    talk = Talk(has_agent=False)
    talk.user_speaks(400)
    talk.user_is_silent(800)

    assert [] == talk.all(TurnDone)

    talk.is_transcribed("hello")

    assert ["hello"] == finals(talk)
    assert [TurnOutcome.ANSWERED] == [done.outcome for done in talk.all(TurnDone)]


def test_the_turn_ends_with_the_silence_when_the_final_was_there_before() -> None:
    talk = Talk(has_agent=False)
    talk.user_speaks(400)
    talk.user_is_silent(180)
    talk.is_transcribed("hello")
    talk.user_is_silent(300)

    assert [] == finals(talk)

    talk.user_is_silent(20)

    assert ["hello"] == finals(talk)


def test_the_least_silence_may_be_shorter_than_the_wait_for_the_final() -> None:
    endpointing = Endpointing(minimum_silence="60ms", minimum_silence_without_verdict="60ms")
    talk = Talk(SessionConfig(endpointing=endpointing), has_agent=False)
    talk.user_speaks(400)
    talk.user_is_silent(60)
    talk.is_transcribed("hello")

    assert ["hello"] == finals(talk)


def test_speech_that_goes_on_makes_final_and_verdict_void() -> None:
    talk = Talk(has_agent=False, detects_turns=True)
    talk.user_speaks(400)
    talk.user_is_silent(180)
    talk.is_transcribed("book a table")
    verdict = talk.judged[-1]
    talk.user_speaks(40)
    talk.happens(Judged(verdict.job, 1.0))
    talk.user_is_silent(240)

    assert Cancel(verdict.job) in talk.given
    assert [] == finals(talk)

    talk.is_transcribed("book a table for two")
    talk.happens(Judged(talk.judged[-1].job, 0.95))

    assert ["book a table for two"] == finals(talk)


def test_a_void_final_that_comes_late_does_not_stand_for_the_one_that_was_asked_after_it() -> None:
    talk = Talk(has_agent=False)
    talk.user_speaks(400)
    talk.user_is_silent(180)
    talk.user_speaks(200)
    talk.user_is_silent(1_000)
    talk.is_transcribed("book a table")

    assert 2 == len(talk.all(Finalise))
    assert [] == finals(talk)

    talk.is_transcribed("book a table for two")

    assert ["book a table for two"] == finals(talk)


def test_a_final_that_never_comes_is_waited_for_as_long_as_is_set_even_if_a_void_one_came() -> None:
    talk = Talk(has_agent=False)
    talk.user_speaks(400)
    talk.user_is_silent(180)
    talk.user_speaks(200)
    talk.user_is_silent(1_000)
    talk.is_transcribed("book a table")
    talk.passes(5_000)

    assert [ErrorCode.STT_ERROR] == [error.code for error in talk.all(ErrorOccurred)]
    assert ["book a table"] == finals(talk)


def test_interims_are_told_once_and_trimmed() -> None:
    talk = Talk(has_agent=False)
    talk.user_speaks(400)
    for text in (" one", "one ", "", "one two"):
        talk.is_transcribed(text, final=False)

    assert ["one", "one two"] == [told.text for told in talk.all(TranscriptChanged)]


def test_a_verdict_is_asked_for_only_where_there_is_text_and_somebody_to_judge() -> None:
    for detects_turns, text, expected in ((True, "hello", 1), (True, "", 0), (False, "hello", 0)):
        talk = Talk(detects_turns=detects_turns)
        talk.user_speaks(400)
        talk.user_is_silent(180)
        talk.is_transcribed(text)

        assert expected == len(talk.judged)


def test_a_detector_that_fails_leaves_it_to_the_silence() -> None:
    talk = Talk(has_agent=False, detects_turns=True)
    talk.user_speaks(400)
    talk.user_is_silent(240)
    talk.is_transcribed("hello")
    talk.happens(Failed(talk.judged[-1].job, "broke", retryable=False))

    assert [] == finals(talk)

    talk.user_is_silent(260)

    assert ["hello"] == finals(talk)


def test_what_was_told_and_is_taken_back_by_the_final_is_told_again_as_nothing() -> None:
    talk = Talk(has_agent=False)
    talk.user_speaks(400)
    talk.is_transcribed("hm", final=False)
    talk.user_is_silent(180)
    talk.is_transcribed("")
    talk.user_is_silent(100)

    assert [""] == finals(talk)
    assert [TurnOutcome.EMPTY] == [done.outcome for done in talk.all(TurnDone)]


def test_a_transcription_that_breaks_starts_again_and_is_asked_for_its_final() -> None:
    talk = Talk(SessionConfig(retry_delay="500ms"), has_agent=False)
    talk.user_speaks(400)
    talk.user_is_silent(180)
    talk.happens(Failed(talk.last(Feed).job, "broke", retryable=True))
    talk.user_is_silent(600)

    assert talk.last(Feed).again
    assert Finalise(talk.last(Feed).job) == talk.last(Finalise)

    talk.is_transcribed("hello")

    assert ["hello"] == finals(talk)


def test_a_turn_does_not_end_while_its_transcription_is_about_to_start_again() -> None:
    talk = Talk(SessionConfig(retry_delay="2s"), has_agent=False)
    talk.user_speaks(200)
    talk.happens(Failed(talk.last(Feed).job, "broke", retryable=True))
    talk.user_speaks(200)
    talk.user_is_silent(1_600)

    assert [] == talk.all(TurnDone)

    talk.user_is_silent(200)
    talk.is_transcribed("hello")

    assert ["hello"] == finals(talk)


def test_a_transcription_that_breaks_for_good_leaves_what_it_had() -> None:
    talk = Talk(has_agent=False)
    talk.user_speaks(400)
    talk.is_transcribed("hello", final=False)
    talk.happens(Failed(talk.last(Feed).job, "broke", retryable=False))
    talk.user_is_silent(500)

    assert ["hello"] == finals(talk)
    assert ["broke"] == [error.message for error in talk.all(ErrorOccurred)]


def test_it_is_not_tried_again_later_than_a_final_may_come() -> None:
    talk = Talk(SessionConfig(retry_delay="10s", apology=""), has_agent=False)
    talk.user_speaks(400)
    talk.happens(Failed(talk.last(Feed).job, "broke", retryable=True))
    talk.user_is_silent(500)

    assert [TurnOutcome.FAILED] == [done.outcome for done in talk.all(TurnDone)]


def test_the_tries_of_a_final_have_one_limit_together() -> None:
    talk = Talk(SessionConfig(retry_delay="500ms", stt_timeout="1s", apology=""), has_agent=False)
    talk.user_speaks(400)
    talk.user_is_silent(FINALISE_AFTER_MS)
    talk.happens(Failed(talk.last(Feed).job, "broke", retryable=True))
    talk.user_is_silent(980)

    assert 2 == len(talk.all(Finalise))
    assert [] == talk.all(TurnDone)

    talk.user_is_silent(20)

    assert [TurnOutcome.FAILED] == [done.outcome for done in talk.all(TurnDone)]


def test_the_final_of_who_has_spoken_on_has_its_own_limit() -> None:
    talk = Talk(SessionConfig(retry_delay="500ms", stt_timeout="1s"), has_agent=False)
    talk.user_speaks(400)
    talk.user_is_silent(FINALISE_AFTER_MS)
    talk.user_speaks(2_000)
    talk.happens(Failed(talk.last(Feed).job, "broke", retryable=True))
    talk.user_is_silent(1_400)
    talk.is_transcribed("hello")

    assert ["hello"] == finals(talk)
    assert 900 == talk.last(TurnDone).latency.stt_ms


def test_an_utterance_that_is_cut_at_its_limit_after_its_transcription_broke_has_what_it_has() -> None:
    talk = Talk(SessionConfig(max_utterance="1s"), has_agent=False)
    talk.user_speaks(500)
    talk.is_transcribed("on and", final=False)
    talk.happens(Failed(talk.last(Feed).job, "broke", retryable=False))
    talk.user_speaks(500)

    assert ["on"] == finals(talk)
    assert [] == talk.all(Finalise)

    talk.is_transcribed("on and on")
    talk.user_is_silent(500)

    assert ["on", "and on"] == finals(talk)


def test_an_overlong_utterance_ends_with_the_first_final_while_it_still_goes_on() -> None:
    talk = Talk(SessionConfig(max_utterance="1s"), has_agent=False)
    talk.user_speaks(1_200)

    assert 1 == len(talk.all(Finalise))

    talk.is_transcribed("one two three four five six seven eig")

    assert ["one two three four five"] == finals(talk)
    assert [SpeechStopped(1_000)] == talk.all(SpeechStopped)


def test_who_goes_on_past_the_limit_is_in_a_new_turn_that_is_heard_from_before_the_cut() -> None:
    talk = Talk(SessionConfig(max_utterance="1s"), has_agent=False)
    talk.user_speaks(1_200)
    talk.is_transcribed("one two three four five six seven eig")

    assert [SpeechStarted(0), SpeechStarted(1_000)] == talk.all(SpeechStarted)
    assert [("1", None), ("2", OVERLAP_MS + 200)] == [(feed.turn_id, feed.back_ms) for feed in talk.all(Feed)]


def test_the_words_at_the_limit_are_in_the_two_turns_once() -> None:
    talk = Talk(SessionConfig(max_utterance="1s"), has_agent=False)
    talk.user_speaks(1_200)
    talk.is_transcribed("one two three four five six seven eig")
    talk.is_transcribed("Five six", final=False)
    talk.user_speaks(400)
    talk.user_is_silent(180)
    talk.is_transcribed("Or five six seven eight nine ten.")
    talk.user_is_silent(400)

    assert ["one two three four five", "six seven eight nine ten."] == finals(talk)


def test_who_goes_on_past_the_limit_and_is_understood_no_more_keeps_their_last_words() -> None:
    talk = Talk(SessionConfig(max_utterance="1s"), has_agent=False)
    talk.user_speaks(1_100)
    talk.is_transcribed("one two three four five six")
    talk.happens(Failed(talk.last(Feed).job, "broke", retryable=False))
    talk.user_is_silent(600)

    assert ["one two three", "four five six"] == finals(talk)


def test_who_stops_at_the_limit_has_said_it_all_in_one_turn() -> None:
    talk = Talk(SessionConfig(max_utterance="1s"), has_agent=False)
    talk.user_speaks(1_000)
    talk.user_is_silent(300)
    talk.is_transcribed("one two three four")
    talk.user_is_silent(600)

    assert ["one two three four"] == finals(talk)
    assert 1 == len(talk.all(TurnDone))


def test_who_has_fallen_silent_by_the_time_the_final_comes_is_heard_to_the_end() -> None:
    talk = Talk(SessionConfig(max_utterance="1s"), has_agent=False)
    talk.user_speaks(1_100)
    talk.user_is_silent(700)
    talk.is_transcribed("one two three four five six")

    assert [feed.job for feed in talk.all(Feed)] == [finalise.job for finalise in talk.all(Finalise)]

    talk.is_transcribed("three four five six seven")

    assert ["one two three", "four five six seven"] == finals(talk)


def test_a_caller_who_is_gone_at_the_limit_leaves_no_turn_open() -> None:
    talk = Talk(SessionConfig(max_utterance="1s"), has_agent=False)
    talk.user_speaks(1_100)
    talk.is_transcribed("one two three four five six")
    talk.passes(400)
    talk.is_transcribed("three four five six")
    talk.passes(400)

    assert ["one two three", "four five six"] == finals(talk)
    assert 2 == len(talk.all(TurnDone))


def test_audio_that_stops_coming_counts_as_silence() -> None:
    talk = Talk(has_agent=False)
    talk.user_speaks(400)
    talk.passes(400)

    assert [SpeechStopped(400)] == talk.all(SpeechStopped)
    assert 1 == len(talk.all(Finalise))


def test_without_a_turn_there_is_nothing_to_do() -> None:
    desk = Desk()
    listener = Listener(desk, SessionConfig(), rate_hz=8_000, detects_turns=True)
    job = desk.open("stt")
    listener.gap()
    listener.retry()
    listener.final_is_late()
    listener.transcribed(Transcribed(job, "hello", final=True), ())
    listener.judged(Judged(job, 1.0))
    listener.failed(Failed(job, "broke", retryable=True))

    assert None is listener.take()
    assert (False, False) == (listener.finals_are_in, listener.finished)
    assert [] == desk.drain()
    assert None is desk.deadlines.next_ms()
