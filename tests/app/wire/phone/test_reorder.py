from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.wire.phone.reorder import RESTART, Reorder


def piece(number: int) -> bytes:
    return str(number).encode()


def played(numbers: list[int], window: int = 5) -> list[int]:
    reorder = Reorder(window)
    return [int(each) for number in numbers for each in reorder.add(number, piece(number))]


def test_what_comes_in_order_is_played_at_once() -> None:
    assert [[b"4"], [b"5"], [b"6"]] == [
        reorder.add(number, piece(number)) for reorder in [Reorder()] for number in (4, 5, 6)
    ]


def test_what_comes_too_early_waits() -> None:
    assert [1, 2, 3, 4, 5] == played([1, 3, 4, 2, 5])


def test_what_never_comes_is_not_waited_for_longer_than_the_window() -> None:
    assert [1, 3, 4, 5, 6, 7] == played([1, 3, 4, 5, 6, 7])


def test_what_comes_after_its_turn_is_dropped() -> None:
    assert [1, 3, 4, 5, 6, 7, 8] == played([1, 3, 4, 5, 6, 7, 2, 8])


def test_what_comes_twice_is_played_once() -> None:
    assert [1, 2, 3] == played([1, 1, 2, 3, 2])


def test_a_count_that_begins_anew_is_followed() -> None:
    assert [100, 1, 2] == played([100, 1, 2])


def test_a_jump_ahead_does_not_stop_the_stream() -> None:
    assert [1, 10**14, 2, 3] == played([1, 10**14, 2, 3], window=1)
    assert 7 in played([1, 10**14, *range(2, 20)])


def test_the_rest_is_what_still_waits_in_order() -> None:
    reorder = Reorder()
    for number in (1, 5, 3):
        reorder.add(number, piece(number))

    assert [b"3", b"5"] == reorder.rest()
    assert [] == reorder.rest()


@given(st.lists(st.integers(0, 10**15), max_size=200), st.integers(1, 8))
def test_no_more_is_held_than_the_window_and_nothing_is_played_twice(numbers: list[int], window: int) -> None:
    reorder = Reorder(window)
    count = 0
    for number in numbers:
        count += len(reorder.add(number, piece(number)))

        assert len(reorder._held) < window
    assert count + len(reorder.rest()) <= len(numbers)


@given(st.data())
def test_neighbours_that_changed_places_are_put_right(data: st.DataObject) -> None:
    """Each number is at most ``RESTART`` and four places away from its own."""
    numbers = list(range(RESTART))
    swapped = sorted(numbers, key=lambda number: number + data.draw(st.floats(0, 4)))

    assert numbers[min(swapped[0], 4) :] == [each for each in played(swapped, 6) if each >= swapped[0]]
