from __future__ import annotations

import pytest

from providers.errors import (
    Malformed,
    Overloaded,
    PermanentError,
    ProviderError,
    Rejected,
    RetryableError,
    TimedOut,
    Unreachable,
)


@pytest.mark.parametrize("error", [Unreachable, Overloaded, TimedOut])
def test_what_may_pass_is_retryable(error: type[ProviderError]) -> None:
    assert issubclass(error, RetryableError)
    assert error("later").retryable


@pytest.mark.parametrize("error", [Rejected, Malformed])
def test_what_will_not_pass_is_not(error: type[ProviderError]) -> None:
    assert issubclass(error, PermanentError)
    assert not error("never").retryable


def test_every_class_has_a_code_of_its_own() -> None:
    classes = (Unreachable, Overloaded, TimedOut, Rejected, Malformed)

    assert ["unreachable", "overloaded", "timed_out", "rejected", "malformed"] == [error.code for error in classes]


def test_an_error_names_its_provider() -> None:
    error = Rejected("no such voice", provider="piper")

    assert "piper: no such voice" == str(error)
    assert "piper" == error.provider
    assert "no such voice" == str(Rejected("no such voice"))


def test_an_overloaded_provider_may_say_when_to_come_back() -> None:
    assert 2.5 == Overloaded("busy", retry_after_s=2.5).retry_after_s
    assert Overloaded("busy").retry_after_s is None
