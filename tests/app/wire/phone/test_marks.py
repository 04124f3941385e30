from __future__ import annotations

from app.wire.phone.api import MarkReached
from app.wire.phone.marks import MAX_OPEN, Marks


def test_a_mark_that_comes_back_was_heard() -> None:
    marks = Marks()
    marks.ask("1")

    assert MarkReached("1", heard=True) == marks.reached("1")


def test_marks_before_a_clear_were_dropped_and_those_after_it_not() -> None:
    marks = Marks()
    marks.ask("before")
    marks.clear()
    marks.ask("after")

    assert [False, True] == [marks.reached(name).heard for name in ("before", "after")]


def test_a_name_may_be_used_again() -> None:
    marks = Marks()
    marks.ask("1")
    marks.clear()
    marks.reached("1")
    marks.ask("1")

    assert marks.reached("1").heard


def test_marks_that_never_come_back_are_forgotten() -> None:
    marks = Marks()
    for number in range(MAX_OPEN + 100):
        marks.ask(str(number))

    assert len(marks._dropped) == MAX_OPEN
