"""The conversation as the user heard it."""

from __future__ import annotations

from providers.api import Message
from session.history import History


def test_what_was_said_and_what_was_heard_stand_in_order() -> None:
    history = History()
    history.user_said("what time is it")
    history.user_heard("It is five.", interrupted=False)
    history.user_said("and now")
    history.user_heard("It is", interrupted=True)

    assert (
        Message("user", "what time is it"),
        Message("assistant", "It is five."),
        Message("user", "and now"),
        Message("assistant", "It is", interrupted=True),
    ) == history.messages


def test_a_reply_of_which_nothing_was_heard_leaves_no_trace() -> None:
    history = History()
    history.user_heard("", interrupted=True)

    assert () == history.messages


def test_a_turn_that_goes_on_is_taken_back() -> None:
    history = History()
    history.user_said("book a table")
    history.take_back()

    assert () == history.messages


def test_what_was_heard_is_never_taken_back() -> None:
    history = History()
    history.take_back()
    history.user_heard("Hello.", interrupted=False)
    history.take_back()

    assert (Message("assistant", "Hello."),) == history.messages


def test_what_was_handed_out_does_not_change() -> None:
    history = History()
    before = history.messages
    history.user_said("hello")

    assert () == before
