from __future__ import annotations

from app.dial.playout import Played, Playout

RATE_HZ = 8_000
FRAME = b"\1\0" * 160
SILENCE = bytes(320)


def test_what_comes_is_played_in_its_turn() -> None:
    playout = Playout(RATE_HZ)
    playout.add(FRAME + b"\2\0" * 160)

    assert [FRAME, b"\2\0" * 160, SILENCE] == [playout.play().frame for _ in range(3)]


def test_the_end_of_a_frame_that_is_not_full_is_silence() -> None:
    playout = Playout(RATE_HZ)
    playout.add(b"\1\0" * 10)

    assert b"\1\0" * 10 + bytes(300) == playout.play().frame


def test_audio_waits_until_what_is_late_may_have_come() -> None:
    playout = Playout(RATE_HZ, delay_ms=60)
    playout.add(FRAME)
    playout.add(FRAME)

    assert [SILENCE] * 3 + [FRAME, FRAME, SILENCE] == [playout.play().frame for _ in range(6)]


def test_it_waits_again_when_it_has_run_dry() -> None:
    playout = Playout(RATE_HZ, delay_ms=20)
    playout.add(FRAME)
    first = [playout.play().frame for _ in range(2)]
    playout.add(FRAME)

    assert [SILENCE, FRAME, SILENCE, FRAME] == [*first, *(playout.play().frame for _ in range(2))]


def test_a_mark_is_come_to_when_what_was_before_it_has_been_played() -> None:
    playout = Playout(RATE_HZ)
    playout.add(FRAME)
    playout.mark("one")
    playout.add(FRAME)
    playout.mark("two")
    playout.mark("three")

    assert [("one",), ("two", "three"), ()] == [playout.play().marks for _ in range(3)]


def test_a_mark_behind_nothing_is_come_to_at_once() -> None:
    playout = Playout(RATE_HZ)
    playout.mark("one")

    assert Played(SILENCE, ("one",)) == playout.play()


def test_a_clear_drops_what_was_not_played_and_gives_the_marks_in_it() -> None:
    playout = Playout(RATE_HZ)
    playout.add(FRAME * 3)
    playout.mark("one")
    playout.play()

    assert 40 == playout.buffered_ms
    assert (("one",), Played(SILENCE, ())) == (playout.clear(), playout.play())


def test_a_pause_holds_it_and_the_marks() -> None:
    playout = Playout(RATE_HZ)
    playout.add(FRAME)
    playout.mark("one")
    playout.pause()
    held = playout.play()
    playout.resume()

    assert [Played(SILENCE, ()), Played(FRAME, ("one",))] == [held, playout.play()]
