"""Named deadlines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from session.deadlines import Deadlines


def test_without_deadlines_nothing_is_next_and_nothing_is_due() -> None:
    deadlines: Deadlines[str] = Deadlines()

    assert None is deadlines.next_ms()
    assert None is deadlines.pop_due(10**9)


def test_the_earliest_is_next() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("late", 500)
    deadlines.set("early", 200)

    assert 200 == deadlines.next_ms()


def test_setting_a_name_again_moves_it() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("hold", 200)
    deadlines.set("hold", 900)

    assert 900 == deadlines.next_ms()
    assert None is deadlines.pop_due(899)


def test_a_deadline_is_due_at_its_very_millisecond_and_only_once() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("hold", 200)

    assert None is deadlines.pop_due(199)
    assert "hold" == deadlines.pop_due(200)
    assert None is deadlines.pop_due(200)
    assert not deadlines.is_set("hold")


def test_clearing_takes_the_named_ones_and_no_others() -> None:
    deadlines: Deadlines[str] = Deadlines()
    for at_ms, name in enumerate("abc"):
        deadlines.set(name, at_ms)
    deadlines.clear("a", "c", "never set")

    assert [False, True, False] == [deadlines.is_set(name) for name in "abc"]


def test_all_can_be_cleared() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("a", 1)
    deadlines.clear_all()

    assert None is deadlines.next_ms()


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 1_000)), st.integers(0, 1_000))
def test_what_is_due_comes_in_the_order_of_time(times_ms: dict[str, int], now_ms: int) -> None:
    deadlines: Deadlines[str] = Deadlines()
    for name, at_ms in times_ms.items():
        deadlines.set(name, at_ms)
    popped: list[str] = []
    while (due := deadlines.pop_due(now_ms)) is not None:
        popped.append(due)

    assert sorted(at_ms for at_ms in times_ms.values() if at_ms <= now_ms) == [times_ms[name] for name in popped]
    assert min((at_ms for at_ms in times_ms.values() if at_ms > now_ms), default=None) == deadlines.next_ms()
