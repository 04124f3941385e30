"""When a provider is asked, left alone, tried again, and trusted again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import Malformed, Overloaded, Rejected, TimedOut, Unreachable
from session.breaker import FAILURES_TO_OPEN, OPEN_MS, SUCCESSES_TO_CLOSE, Breaker, BreakerState, is_failure

CLOSED, HALF_OPEN, OPEN = BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN


def opened(at_ms: int = 0) -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES_TO_OPEN):
        breaker.asked(at_ms)
        breaker.failed(at_ms)
    return breaker


def test_a_new_provider_is_asked_by_as_many_as_like() -> None:
    breaker = Breaker()

    assert [False, False] == [breaker.asked(0), breaker.asked(0)]
    assert breaker.allows(0)
    assert CLOSED is breaker.state


def test_five_failures_in_a_row_open_it() -> None:
    breaker = Breaker()
    for _ in range(4):
        breaker.failed(0)

    assert CLOSED is breaker.state

    breaker.failed(0)

    assert OPEN is breaker.state
    assert not breaker.allows(0)


def test_a_success_in_between_begins_the_count_anew() -> None:
    breaker = Breaker()
    for _ in range(4):
        breaker.failed(0)
    breaker.succeeded()
    for _ in range(4):
        breaker.failed(0)

    assert CLOSED is breaker.state


def test_it_is_left_alone_for_thirty_seconds() -> None:
    breaker = opened(at_ms=1_000)

    assert [False, True] == [breaker.allows(30_999), breaker.allows(31_000)]
    assert OPEN is breaker.state


def test_what_fails_late_does_not_keep_it_open_longer() -> None:
    breaker = opened()
    breaker.failed(OPEN_MS - 1)
    breaker.succeeded()

    assert OPEN is breaker.state
    assert breaker.allows(OPEN_MS)


def test_asking_an_open_one_too_early_is_no_trial() -> None:
    breaker = opened()

    assert not breaker.asked(1)
    assert OPEN is breaker.state


def test_one_trial_at_a_time() -> None:
    breaker = opened()

    assert breaker.asked(OPEN_MS)
    assert HALF_OPEN is breaker.state
    assert not breaker.allows(OPEN_MS)

    breaker.succeeded()

    assert breaker.allows(OPEN_MS)
    assert HALF_OPEN is breaker.state


def test_two_successes_close_it() -> None:
    breaker = opened()
    for _ in range(SUCCESSES_TO_CLOSE):
        breaker.asked(OPEN_MS)
        breaker.succeeded()

    assert CLOSED is breaker.state


def test_a_trial_that_fails_opens_it_for_as_long_again() -> None:
    breaker = opened()
    breaker.asked(OPEN_MS)
    breaker.succeeded()
    breaker.asked(OPEN_MS)
    breaker.failed(OPEN_MS + 5)

    assert OPEN is breaker.state
    assert [False, True] == [breaker.allows(2 * OPEN_MS + 4), breaker.allows(2 * OPEN_MS + 5)]

    breaker.asked(2 * OPEN_MS + 5)
    breaker.succeeded()

    assert HALF_OPEN is breaker.state


def test_a_trial_that_is_given_up_frees_its_place() -> None:
    breaker = opened()
    breaker.asked(OPEN_MS)
    breaker.given_up()

    assert breaker.allows(OPEN_MS)
    assert HALF_OPEN is breaker.state


@pytest.mark.parametrize("error", [Unreachable("x"), Overloaded("x"), TimedOut("x"), Malformed("x"), KeyError("x")])
def test_what_the_provider_is_to_blame_for_is_a_failure(error: Exception) -> None:
    assert is_failure(error)


def test_a_refusal_is_none() -> None:
    assert not is_failure(Rejected("no such voice"))


@given(st.lists(st.tuples(st.sampled_from(["ask", "succeed", "fail", "give up"]), st.integers(0, 20_000))))
def test_whatever_happens_an_open_one_rests_and_a_half_open_one_has_one_trial(steps: list[tuple[str, int]]) -> None:
    breaker, now_ms, opened_ms, trials, in_a_row = Breaker(), 0, -OPEN_MS, 0, 0
    for step, later_ms in steps:
        now_ms += later_ms
        before = breaker.state
        if step == "ask" and breaker.allows(now_ms):
            trials += breaker.asked(now_ms)
            assert before is not OPEN or now_ms - opened_ms >= OPEN_MS
        elif step == "succeed":
            breaker.succeeded()
            trials, in_a_row = 0, 0
        elif step == "fail":
            breaker.failed(now_ms)
            in_a_row += before is not OPEN
            trials = 0 if before is not OPEN else trials
            assert (breaker.state is OPEN) == (before is not CLOSED or in_a_row >= FAILURES_TO_OPEN)
        elif step == "give up":
            breaker.given_up()
            trials = 0
        if breaker.state is OPEN and before is not OPEN:
            opened_ms, in_a_row, trials = now_ms, FAILURES_TO_OPEN, 0

        assert trials == (breaker.state is HALF_OPEN and not breaker.allows(now_ms))
