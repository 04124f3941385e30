"""Where a listener is, who plays late and sends marks back. Time is an argument."""

from __future__ import annotations

from session.marks import LATE_MS, TRUSTED_LOSSES, Marks

FRAME = 160  # samples of 20 ms at 8 kHz


def with_marks(count: int) -> Marks:
    """One every 500 ms, the first due at 500."""
    marks = Marks(come_back=True)
    for number in range(1, count + 1):
        marks.set(number * 25 * FRAME, number * 500)
    return marks


def test_numbers_go_on_from_reply_to_reply() -> None:
    marks = with_marks(2)
    marks.forget()

    assert 3 == marks.set(FRAME, 5_000)


def test_nothing_is_awaited_of_a_listener_who_sends_none_back() -> None:
    marks = Marks(come_back=False)
    number = marks.set(FRAME, 20)

    assert (1, False) == (number, marks.are_awaited)
    assert marks.next_samples is None


def test_a_position_does_not_pass_a_mark_that_is_awaited() -> None:
    assert 25 * FRAME == with_marks(2).next_samples


def test_a_mark_that_came_back_is_a_position_that_was_played() -> None:
    marks = with_marks(2)
    marks.reached(1, 800)

    assert 25 * FRAME == marks.reached_samples
    assert 300 == marks.delay_ms
    assert 50 * FRAME == marks.next_samples


def test_a_mark_that_came_back_stands_for_those_before_it() -> None:
    marks = with_marks(3)
    marks.reached(3, 1_600)

    assert 75 * FRAME == marks.reached_samples
    assert not marks.are_awaited


def test_one_that_is_held_up_on_its_way_back_does_not_make_the_listener_late() -> None:
    marks = with_marks(3)
    for number, at_ms in ((1, 560), (2, 1_900), (3, 1_940)):
        marks.reached(number, at_ms)

    assert 60 == marks.delay_ms


def test_the_delay_follows_a_listener_who_has_become_later() -> None:
    marks = with_marks(6)
    for number in range(1, 7):
        marks.reached(number, number * 500 + (50 if number < 3 else 400))

    assert 400 == marks.delay_ms


def test_a_listener_is_never_ahead_of_the_clock() -> None:
    marks = with_marks(1)
    marks.reached(1, 420)

    assert 0 == marks.delay_ms


def test_a_mark_of_another_reply_changes_nothing() -> None:
    marks = with_marks(2)
    marks.forget()
    marks.set(FRAME, 10_000)
    marks.reached(2, 10_010)

    assert (0, True) == (marks.reached_samples, marks.are_awaited)


def test_a_number_that_was_never_given_changes_nothing() -> None:
    marks = with_marks(2)
    for number in (0, 3, 10**12):
        marks.reached(number, 600)

    assert 0 == marks.reached_samples


def test_the_delay_stays_known_when_a_reply_is_dropped() -> None:
    marks = with_marks(1)
    marks.reached(1, 650)
    marks.forget()

    assert 150 == marks.delay_ms


def test_one_that_is_too_late_is_given_up() -> None:
    marks = with_marks(1)
    marks.give_up(500 + LATE_MS)
    before = marks.are_awaited
    marks.give_up(501 + LATE_MS)

    assert (True, False) == (before, marks.are_awaited)
    assert 0 == marks.reached_samples


def test_one_that_comes_after_it_was_given_up_still_tells_how_late_the_listener_is() -> None:
    marks = with_marks(2)
    marks.give_up(600 + LATE_MS)
    marks.reached(1, 700 + LATE_MS)

    assert 200 + LATE_MS == marks.delay_ms
    assert 25 * FRAME == marks.reached_samples


def test_after_some_losses_in_a_row_nobody_waits_for_marks() -> None:
    marks = with_marks(TRUSTED_LOSSES + 1)
    marks.give_up(TRUSTED_LOSSES * 500 + LATE_MS + 1)

    assert marks.are_awaited
    assert marks.next_samples is None


def test_until_one_comes_back() -> None:
    marks = with_marks(TRUSTED_LOSSES + 2)
    marks.give_up(TRUSTED_LOSSES * 500 + LATE_MS + 1)
    marks.reached(TRUSTED_LOSSES + 1, TRUSTED_LOSSES * 500 + LATE_MS + 2)

    assert (TRUSTED_LOSSES + 2) * 25 * FRAME == marks.next_samples


def test_a_listener_who_stood_still_is_given_that_much_longer() -> None:
    marks = with_marks(1)
    marks.postpone(5_000)
    marks.give_up(501 + LATE_MS)
    marks.reached(1, 5_540)

    assert 40 == marks.delay_ms
