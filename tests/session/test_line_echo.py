"""Whether a line returns our voice."""

from __future__ import annotations

from session.line_echo import LineEcho

ECHO = (-20.0, -35.0, -70.0)
NOTHING_COMES_BACK = (-20.0, -70.0, -70.0)
THE_CALLER_SPEAKS = (-20.0, -30.0, -33.0)
THE_CALLER_SPEAKS_AND_IS_TAKEN_FOR_AN_ECHO = (-20.0, -30.0, -50.0)
NOBODY_SPEAKS = (-120.0, -70.0, -70.0)


def hearing(line: LineEcho, levels: tuple[float, float, float], duration_ms: int) -> bool | None:
    for _ in range(duration_ms // 10):
        line.hear(*levels)
    return line.found


def test_half_a_second_of_echo_is_found() -> None:
    line = LineEcho()

    assert hearing(line, ECHO, 490) is None
    assert hearing(line, ECHO, 10) is True


def test_what_has_not_come_back_for_a_second_and_a_half_does_not_come_back() -> None:
    line = LineEcho()

    assert hearing(line, NOTHING_COMES_BACK, 1_490) is None
    assert hearing(line, NOTHING_COMES_BACK, 10) is False


def test_the_pauses_of_an_echo_do_not_hide_it() -> None:
    line = LineEcho()
    for _ in range(5):
        hearing(line, NOTHING_COMES_BACK, 200)
        hearing(line, ECHO, 300)

    assert line.found is True


def test_a_caller_is_no_echo_and_no_sign_that_there_is_none() -> None:
    assert hearing(LineEcho(), THE_CALLER_SPEAKS, 60_000) is None


def test_silence_on_both_sides_tells_nothing() -> None:
    assert hearing(LineEcho(), NOBODY_SPEAKS, 60_000) is None


def test_a_moment_in_which_a_caller_is_taken_for_an_echo_changes_nothing() -> None:
    line = LineEcho()
    hearing(line, NOTHING_COMES_BACK, 3_000)

    assert hearing(line, THE_CALLER_SPEAKS_AND_IS_TAKEN_FOR_AN_ECHO, 500) is False


def test_a_line_may_change() -> None:
    line = LineEcho()
    hearing(line, NOTHING_COMES_BACK, 3_000)

    assert hearing(line, ECHO, 1_000) is True
    assert hearing(line, NOTHING_COMES_BACK, 3_000) is False
