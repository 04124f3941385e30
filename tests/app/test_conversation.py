from __future__ import annotations

import pytest

from app.conversation import Conversation, describe_latency

Message = dict[str, object]

LATENCY = {"endpoint_ms": 210, "stt_ms": 95, "agent_ms": 2, "tts_ms": 80, "response_ms": 390}


def state(name: str) -> Message:
    return {"type": "state", "state": name, "previous": "listening"}


def done(turn_id: str, text: str, heard: str | None = None) -> Message:
    heard_text = text if heard is None else heard
    return {
        "type": "reply",
        "turn_id": turn_id,
        "event": "done",
        "text": text,
        "heard_text": heard_text,
        "interrupted": heard_text != text,
        "latency": LATENCY,
    }


def after(*messages: Message) -> Conversation:
    """A conversation of these messages, 100 ms apart."""
    conversation = Conversation()
    for count, message in enumerate(messages):
        conversation.handle(message, count * 100)
    return conversation


def lines_of(*messages: Message) -> list[str]:
    conversation = Conversation()
    return [line for message in messages if (line := conversation.handle(message, 0))]


STARTED: Message = {"type": "speech", "event": "started", "at_ms": 0}
INTERIM: Message = {"type": "transcript", "turn_id": "1", "text": "what", "final": False}
FINAL: Message = {"type": "transcript", "turn_id": "1", "text": "What time is it?", "final": True}
REPLY_STARTED: Message = {"type": "reply", "turn_id": "1", "event": "started"}
REPLY_TEXT: Message = {"type": "reply", "turn_id": "1", "event": "text", "text": "It is noon."}


def test_a_turn_is_shown_as_it_was_said_and_answered() -> None:
    assert [
        "connected, session 7",
        "you    What time is it?",
        "agent  It is noon.",
        "       endpoint 210 · stt 95 · agent 2 · tts 80 · response 390 ms",
    ] == lines_of({"type": "ready", "session_id": "7"}, STARTED, INTERIM, FINAL, REPLY_TEXT, done("1", "It is noon."))


def test_an_interim_is_kept_until_the_final_one() -> None:
    assert after(INTERIM).interim == "what"
    assert not after(INTERIM, FINAL).interim


def test_an_interruption_says_what_was_heard() -> None:
    assert [
        "       you broke in",
        "       interrupted, heard: 'Once' · endpoint 210 · stt 95 · agent 2 · tts 80 · response 390 ms",
    ] == lines_of({"type": "clear"}, done("1", "Once upon a time", "Once"))


def test_the_summary_holds_every_turn() -> None:
    conversation = after(FINAL, done("1", "It is noon."), {"type": "ended", "reason": "client"})

    assert {
        "type": "summary",
        "session_id": "",
        "ended": "client",
        "turns": [
            {
                "turn_id": "1",
                "said": "What time is it?",
                "reply": "It is noon.",
                "heard": "It is noon.",
                "interrupted": False,
                "latency": LATENCY,
            }
        ],
    } == conversation.summary()


def test_it_is_over_a_while_after_the_last_reply() -> None:
    conversation = after(FINAL, state("processing"), REPLY_STARTED, done("1", "It is noon."), state("listening"))

    assert [False, True] == [conversation.finished(now_ms, 0) for now_ms in (1_899, 1_900)]


def test_it_is_not_over_before_the_recording_is() -> None:
    assert not after(FINAL).finished(now_ms=10_000, sent_all_ms=9_000)


@pytest.mark.parametrize(
    "messages",
    [(state("processing"),), (state("speaking"),), (REPLY_STARTED,), (REPLY_TEXT,)],
    ids=["processing", "speaking", "reply started", "reply told"],
)
def test_it_is_not_over_while_an_answer_is_due(messages: tuple[Message, ...]) -> None:
    assert not after(FINAL, *messages).finished(now_ms=60_000, sent_all_ms=0)


@pytest.mark.parametrize("message", [STARTED, INTERIM])
def test_speech_that_nothing_came_of_yet_is_waited_for_longer(message: Message) -> None:
    conversation = after(message)

    assert [False, True] == [conversation.finished(now_ms, 0) for now_ms in (3_999, 4_000)]


def test_a_reply_that_failed_does_not_hold_the_call() -> None:
    conversation = after(FINAL, REPLY_TEXT, {"type": "error", "code": "tts_error", "message": "no"}, state("listening"))

    assert conversation.finished(now_ms=10_000, sent_all_ms=0)
    assert conversation.failed


def test_it_is_over_when_the_server_ended_it() -> None:
    assert after(state("speaking"), {"type": "ended", "reason": "agent"}).finished(now_ms=100, sent_all_ms=5_000)


def test_the_caller_waits_for_the_end_of_the_greeting() -> None:
    greeting: Message = {"type": "reply", "turn_id": "1", "event": "started"}
    greeted = after(state("speaking"), greeting, done("1", "Hello."), state("listening"))

    assert [False, True] == [after(greeting).greeted(now_ms) for now_ms in (14_999, 15_000)]
    assert [False, True] == [greeted.greeted(now_ms) for now_ms in (599, 600)]


def test_an_agent_that_does_not_greet_is_not_waited_for_long() -> None:
    assert [False, True] == [after(state("listening")).greeted(now_ms) for now_ms in (999, 1_000)]


def test_an_empty_transcript_and_an_unknown_message_show_nothing() -> None:
    assert [] == lines_of({**FINAL, "text": ""}, {"type": "novelty"}, {"no": "type"}, {"type": "reply"})


def test_stages_that_took_no_part_are_left_out() -> None:
    assert describe_latency({"response_ms": 90, "stt_ms": None}) == "response 90 ms"
    assert not describe_latency({})
