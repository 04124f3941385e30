"""What a session raises: how it reads, what a program can read from it, and whether to try again."""

from __future__ import annotations

import pytest

from providers import errors as of_providers
from session.errors import ErrorCode, SessionError

CODES = """
    invalid_config internal_error invalid_state timeout session_not_found session_already_active session_not_active
    session_expired invalid_input agent_error stt_error tts_error transport_error capacity unauthorized
"""


def test_every_published_code_is_there() -> None:
    assert CODES.split() == [code.value for code in ErrorCode]


def test_a_code_is_the_word_that_programs_compare() -> None:
    assert "invalid_config" == SessionError("start", ErrorCode.INVALID_CONFIG, "no").code


def test_the_message_names_the_operation_and_the_code() -> None:
    error = SessionError("start", ErrorCode.SESSION_ALREADY_ACTIVE, "the session is listening")

    assert "session start: the session is listening (code: session_already_active)" == str(error)
    assert ("start", "the session is listening") == (error.op, error.message)


def test_the_cause_is_kept() -> None:
    cause = of_providers.Unreachable("no route", provider="piper")
    error = SessionError("say", ErrorCode.TTS_ERROR, "it broke", cause=cause)

    assert cause is error.cause
    assert cause is error.__cause__


def test_details_are_a_copy() -> None:
    given: dict[str, object] = {"field": "timeout"}
    error = SessionError("config", ErrorCode.INVALID_CONFIG, "no", details=given)
    given["field"] = "another"

    assert {"field": "timeout"} == error.details


def test_without_details_and_cause_there_are_none() -> None:
    error = SessionError("say", ErrorCode.INVALID_INPUT, "the text is empty")

    assert {} == error.details
    assert None is error.cause


@pytest.mark.parametrize("code", ErrorCode)
def test_what_the_caller_may_try_again_by_its_code(code: ErrorCode) -> None:
    assert (code in ("timeout", "capacity")) == SessionError("say", code, "no").retryable


@pytest.mark.parametrize(
    ("cause", "retryable"),
    [
        (of_providers.Unreachable("x"), True),
        (of_providers.Overloaded("x"), True),
        (of_providers.TimedOut("x"), True),
        (of_providers.Rejected("x"), False),
        (of_providers.Malformed("x"), False),
        (ValueError("x"), False),
    ],
)
def test_what_a_provider_marked_retryable_is(cause: Exception, *, retryable: bool) -> None:
    assert retryable == SessionError("say", ErrorCode.TTS_ERROR, "it broke", cause=cause).retryable
