"""Whether a line returns our voice."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from session.line_echo import LineEcho

ECHO = (-20.0, -35.0, -70.0)
NOTHING_COMES_BACK = (-20.0, -70.0, -70.0)
NOTHING_FAINT_COMES_BACK = (-32.0, -70.0, -70.0)
THE_CALLER_SPEAKS = (-20.0, -30.0, -33.0)
THE_CALLER_SPEAKS_AND_IS_TAKEN_FOR_AN_ECHO = (-20.0, -30.0, -50.0)
NOBODY_SPEAKS = (-120.0, -70.0, -70.0)


def hearing(line: LineEcho, levels: tuple[float, float, float], duration_ms: int) -> bool | None:
    for _ in range(duration_ms // 10):
        line.hear(*levels)
    return line.found


def speech(duration_ms: int) -> list[float]:
    """The levels of each 10 ms: words of 200 and 300 ms, and pauses between them."""
    pattern = [-20.0] * 20 + [-60.0] * 10 + [-18.0] * 30 + [-80.0] * 15
    return (pattern * (duration_ms // 10 // len(pattern) + 1))[: duration_ms // 10]


def microphone(
    played: list[float], *, delay_ms: int, below_db: float, caller: Callable[[int], float] = lambda _: -75.0
) -> Iterable[tuple[float, float, float]]:
    """What a line returns, beside the caller's own voice. A canceller finds it after a second."""
    for at, played_dbfs in enumerate(played):
        echo_dbfs = played[at - delay_ms // 10] - below_db if at >= delay_ms // 10 else -120.0
        own_dbfs = caller(at * 10)
        heard_dbfs = max(echo_dbfs, own_dbfs)
        yield played_dbfs, heard_dbfs, own_dbfs if at >= 100 else heard_dbfs


def known_after_ms(levels: Iterable[tuple[float, float, float]]) -> int | None:
    """That it has no echo."""
    line = LineEcho()
    for at, each in enumerate(levels):
        line.hear(*each)
        if line.found is False:
            return (at + 1) * 10
    return None


def test_half_a_second_of_echo_is_found() -> None:
    line = LineEcho()

    assert hearing(line, ECHO, 490) is None
    assert hearing(line, ECHO, 10) is True


def test_what_is_faint_and_has_not_come_back_for_a_second_and_a_half_does_not_come_back() -> None:
    line = LineEcho()

    assert hearing(line, NOTHING_FAINT_COMES_BACK, 1_490) is None
    assert hearing(line, NOTHING_FAINT_COMES_BACK, 10) is False


def test_that_no_echo_of_any_delay_was_heard_is_known_in_less_than_a_second() -> None:
    assert known_after_ms(microphone(speech(3_000), delay_ms=0, below_db=100.0)) == 720


def test_a_caller_who_pauses_between_words_does_not_hide_it() -> None:
    def caller(at_ms: int) -> float:
        return -75.0 if at_ms % 500 < 150 else -25.0

    assert (known_after_ms(microphone(speech(6_000), delay_ms=0, below_db=100.0, caller=caller)) or 6_000) < 3_000


@pytest.mark.parametrize("delay_ms", [20, 60, 200, 400, 600])
@pytest.mark.parametrize("below_db", [10.0, 18.0, 25.0, 30.0])
def test_a_line_with_an_echo_is_never_taken_for_one_without(delay_ms: int, below_db: float) -> None:
    levels = microphone(speech(60_000), delay_ms=delay_ms, below_db=below_db)

    assert known_after_ms(levels) is None


def test_the_pauses_of_an_echo_do_not_hide_it() -> None:
    line = LineEcho()
    for levels in microphone(speech(4_000), delay_ms=200, below_db=15.0):
        line.hear(*levels)

    assert line.found is True


def test_a_caller_is_no_echo_and_no_sign_that_there_is_none() -> None:
    assert hearing(LineEcho(), THE_CALLER_SPEAKS, 60_000) is None


def test_silence_on_both_sides_tells_nothing() -> None:
    assert hearing(LineEcho(), NOBODY_SPEAKS, 60_000) is None


def suspecting(line: LineEcho, levels: tuple[float, float, float], duration_ms: int) -> bool | None:
    for _ in range(duration_ms // 10):
        line.suspect(*levels)
    return line.found


def test_a_moment_in_which_a_canceller_takes_a_caller_for_an_echo_changes_nothing() -> None:
    line = LineEcho()
    hearing(line, NOTHING_COMES_BACK, 3_000)

    assert suspecting(line, THE_CALLER_SPEAKS_AND_IS_TAKEN_FOR_AN_ECHO, 500) is False
    assert suspecting(line, NOTHING_COMES_BACK, 500) is False
    assert suspecting(line, THE_CALLER_SPEAKS_AND_IS_TAKEN_FOR_AN_ECHO, 990) is False


def test_after_a_second_of_what_looks_like_an_echo_nothing_is_known_any_more() -> None:
    line = LineEcho()
    hearing(line, NOTHING_COMES_BACK, 3_000)

    assert suspecting(line, ECHO, 1_000) is None
    assert hearing(line, ECHO, 500) is True


def test_a_line_whose_echo_ends_has_none() -> None:
    line = LineEcho()
    hearing(line, ECHO, 1_000)

    assert hearing(line, NOTHING_COMES_BACK, 3_000) is False


def test_where_the_reference_moves_the_quiet_before_it_proves_nothing() -> None:
    played = speech(1_000)
    early = list(microphone(played, delay_ms=260, below_db=25.0))
    late = list(microphone(speech(1_000), delay_ms=60, below_db=25.0))
    line = LineEcho()
    for each in early:
        line.hear(*each)
    line.forget_delays()
    for each in late:
        line.hear(*each)

    assert line.found is not False


def test_a_quiet_moment_in_which_a_faint_echo_would_not_be_heard_proves_nothing() -> None:
    line = LineEcho()

    assert hearing(line, (-32.0, -58.0, -58.0), 3_000) is None
