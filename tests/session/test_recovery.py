"""Whether and when to try again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from session import SessionConfig
from session.events import Failed
from session.recovery import LONGEST_DELAY_MS, retry_delay_ms

LONG_MS = 60_000


def delay_ms(
    tries: int = 1,
    *,
    max_retries: int = 3,
    first: float = 1.0,
    retryable: bool = True,
    jitter: float = 1.0,
    left_ms: int = LONG_MS,
) -> int | None:
    config = SessionConfig(max_retries=max_retries, retry_delay=first)
    return retry_delay_ms(config, Failed(1, "gone", retryable, jitter), tries=tries, left_ms=left_ms)


def test_each_delay_is_one_and_a_half_times_the_one_before() -> None:
    assert [1_000, 1_500, 2_250] == [delay_ms(tries) for tries in (1, 2, 3)]


def test_after_the_last_retry_it_is_given_up() -> None:
    assert [2_250, None] == [delay_ms(tries, max_retries=3) for tries in (3, 4)]


def test_without_retries_the_first_failure_is_the_last() -> None:
    assert None is delay_ms(1, max_retries=0)


def test_what_would_fail_again_is_not_tried_again() -> None:
    assert None is delay_ms(retryable=False)


def test_no_delay_is_longer_than_ten_seconds() -> None:
    assert 10_000 == delay_ms(10, max_retries=10, first=10)


def test_nothing_is_tried_past_the_deadline() -> None:
    assert [1_000, None, None] == [delay_ms(left_ms=left_ms) for left_ms in (1_001, 1_000, -1)]


@pytest.mark.parametrize(("jitter", "expected"), [(0.0, 0), (0.25, 250), (1.0, 1_000), (-1.0, 0), (7.0, 1_000)])
def test_jitter_spreads_it_from_nothing_to_all(jitter: float, expected: int) -> None:
    assert expected == delay_ms(jitter=jitter)


@given(st.integers(1, 10), st.floats(0.1, 10), st.floats(0, 1), st.floats(0, 1))
def test_a_delay_keeps_its_bounds_and_grows_with_the_jitter(tries: int, first: float, one: float, two: float) -> None:
    less, more = (delay_ms(tries, max_retries=10, first=first, jitter=jitter) for jitter in sorted((one, two)))

    assert less is not None
    assert more is not None
    assert 0 <= less <= more <= LONGEST_DELAY_MS
