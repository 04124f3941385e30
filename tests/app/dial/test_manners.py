from __future__ import annotations

from app.dial.manners import is_over, may_speak


def test_a_greeting_is_heard_to_its_end() -> None:
    assert [False, False, True] == [may_speak(now_ms, 2_000) for now_ms in (2_000, 2_700, 2_800)]


def test_where_there_is_none_nobody_waits_long() -> None:
    assert [False, True] == [may_speak(now_ms, None) for now_ms in (2_900, 3_000)]


def test_whoever_talks_on_is_talked_into() -> None:
    assert may_speak(15_000, 14_990)


def test_an_answer_is_waited_for_and_then_heard_to_its_end() -> None:
    assert not is_over(9_000, None, said_all_ms=5_000, wait_ms=5_000)
    assert is_over(10_000, None, said_all_ms=5_000, wait_ms=5_000)
    assert not is_over(12_000, 9_500, said_all_ms=5_000, wait_ms=5_000)
    assert is_over(12_500, 9_500, said_all_ms=5_000, wait_ms=5_000)


def test_what_was_heard_before_is_no_answer() -> None:
    assert not is_over(9_000, 4_900, said_all_ms=5_000, wait_ms=5_000)
