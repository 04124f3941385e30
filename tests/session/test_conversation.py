"""The facts of a session, and what is told when one of them is closed."""

from __future__ import annotations

import pytest

from providers.api import Message
from session.commands import Tell
from session.config import SayOptions, SessionConfig
from session.conversation import Conversation
from session.desk import Desk
from session.errors import ErrorCode, SessionError
from session.events import SayAsked
from session.listening import UserTurn
from session.notices import ReplyDone, StateChanged, TranscriptChanged, TurnDone, TurnOutcome
from session.states import SessionState


def a_conversation(state: SessionState = SessionState.LISTENING) -> tuple[Conversation, Desk]:
    desk = Desk()
    return Conversation(desk, SessionConfig(), rate_hz=8_000, detects_turns=False, state=state), desk


@pytest.mark.parametrize("state", SessionState)
def test_it_is_active_between_its_start_and_its_end(state: SessionState) -> None:
    conversation, _ = a_conversation(state)
    active = state not in (SessionState.INITIAL, SessionState.ENDED)

    assert active == conversation.active

    if active:
        conversation.need_active("say")
    else:
        with pytest.raises(SessionError) as error:
            conversation.need_active("say")
        assert (ErrorCode.SESSION_NOT_ACTIVE, "say") == (error.value.code, error.value.op)


def test_a_change_of_state_is_told_and_no_change_is_not() -> None:
    conversation, desk = a_conversation()
    conversation.become(SessionState.LISTENING)
    conversation.become(SessionState.AWAY)

    assert [Tell(StateChanged(SessionState.AWAY, SessionState.LISTENING))] == desk.drain()


def test_an_illegal_change_is_refused_and_changes_nothing() -> None:
    conversation, desk = a_conversation(SessionState.AWAY)
    with pytest.raises(SessionError) as error:
        conversation.become(SessionState.SPEAKING)

    assert ErrorCode.INVALID_STATE is error.value.code
    assert SessionState.AWAY is conversation.state
    assert [] == desk.drain()


def test_what_the_user_had_begun_to_say_is_kept() -> None:
    conversation, desk = a_conversation()
    conversation.close_unanswered(UserTurn("1", before="book a", spoken="table"))

    assert [
        Tell(TranscriptChanged("1", "book a table", final=True)),
        Tell(TurnDone("1", TurnOutcome.INTERRUPTED)),
    ] == desk.drain()
    assert (Message("user", "book a table"),) == conversation.history.messages


def test_a_turn_without_words_is_only_over() -> None:
    conversation, desk = a_conversation()
    conversation.close_unanswered(UserTurn("1"))

    assert [Tell(TurnDone("1", TurnOutcome.EMPTY))] == desk.drain()
    assert () == conversation.history.messages


def waiting(conversation: Conversation) -> list[str]:
    conversation.waiting.append(SayAsked("may", "May be interrupted.", SayOptions()))
    conversation.waiting.append(SayAsked("must", "Must be heard.", SayOptions(allow_interruptions=False)))
    return ["may", "must"]


def test_what_waits_is_dropped_and_whoever_waits_for_it_is_told() -> None:
    conversation, desk = a_conversation()
    waits = waiting(conversation)
    conversation.drop_waiting()
    told = [command.notice for command in desk.drain() if isinstance(command, Tell)]

    assert waits == [done.utterance_id for done in told if isinstance(done, ReplyDone)]
    assert [("", True)] * 2 == [(done.heard_text, done.interrupted) for done in told if isinstance(done, ReplyDone)]
    assert [] == list(conversation.waiting)


def test_what_must_be_heard_survives_the_user() -> None:
    conversation, _ = a_conversation()
    waiting(conversation)
    conversation.drop_waiting(keep_uninterruptible=True)

    assert ["must"] == [say.utterance_id for say in conversation.waiting]


def test_without_a_turn_and_a_reply_there_is_nothing_to_close() -> None:
    conversation, desk = a_conversation()

    assert (None, None) == (conversation.take_turn(), conversation.close_reply(interrupted=True))
    assert [] == desk.drain()
