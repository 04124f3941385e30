"""What was said, by the time at which it was to be heard."""

from __future__ import annotations

from session.aio.far_end import KEPT_MS, FarEnd

RATE_HZ = 16_000
MS = 16
"""Samples in a millisecond."""


def frame(level: int) -> bytes:
    return level.to_bytes(2, "little") * 20 * MS


def far_end(*frames: tuple[int, int]) -> FarEnd:
    """Frames of a level each, and when they are due."""
    said = FarEnd(RATE_HZ, RATE_HZ)
    for level, due_ms in frames:
        said.sent(frame(level), due_ms)
    return said


def test_before_anything_was_said_there_is_silence() -> None:
    assert bytes(320) == far_end().at(1_000 * MS, 160)
    assert 0 == far_end().end


def test_it_is_found_at_the_time_at_which_it_is_due() -> None:
    said = far_end((1, 1_000), (2, 1_020))

    assert bytes(10 * MS * 2) + frame(1) + frame(2) == said.at(990 * MS, 50 * MS)
    assert 1_040 * MS == said.end


def test_between_two_replies_and_after_the_last_there_is_silence() -> None:
    said = far_end((1, 1_000), (2, 1_100))

    assert frame(1) + bytes(80 * MS * 2) + frame(2) + bytes(10 * MS * 2) == said.at(1_000 * MS, 130 * MS)


def test_what_was_cut_is_not_heard_and_something_else_may_take_its_place() -> None:
    said = far_end((1, 1_000), (2, 1_020))
    said.cut(1_010)
    said.sent(frame(3), 1_015)

    assert frame(1)[: 10 * MS * 2] + bytes(5 * MS * 2) + frame(3) == said.at(1_000 * MS, 35 * MS)


def test_a_frame_that_is_due_before_the_last_has_ended_takes_its_place() -> None:
    said = far_end((1, 1_000), (2, 1_010))

    assert frame(1)[: 10 * MS * 2] + frame(2) == said.at(1_000 * MS, 30 * MS)


def test_cutting_nothing_is_nothing() -> None:
    said = far_end()
    said.cut(500)

    assert 0 == said.end


def test_the_oldest_is_forgotten() -> None:
    said = far_end(*((1, due_ms) for due_ms in range(1_000, 1_000 + KEPT_MS + 1_000, 20)))

    assert bytes(320) == said.at(1_900 * MS, 160)
    assert frame(1) == said.at(2_000 * MS, 320)
    assert len(said._pcm) == KEPT_MS * MS * 2


def test_after_a_long_silence_nothing_is_kept_of_it() -> None:
    said = far_end((1, 1_000), (2, 600_000))

    assert frame(2) == said.at(600_000 * MS, 320)
    assert frame(2) == bytes(said._pcm)


def test_another_rate_is_converted_without_a_seam() -> None:
    said = FarEnd(8_000, RATE_HZ)
    for number in range(10):
        said.sent(b"\x10\x27" * 160, 1_000 + number * 20)
    middle = said.at(1_050 * MS, 100 * MS)

    assert {10_000} == {int.from_bytes(middle[at : at + 2], "little") for at in range(0, len(middle), 2)}
