"""What was heard by a listener with a buffer of its own: simulated players, who are quick, slow, or lose marks."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from itertools import pairwise

from session.marks import LATE_MS, Marks
from session.pacer import FRAME_MS, LEAD_MS, MARK_EVERY_MS, Pacer

RATE_HZ = 8_000
FRAME = 160  # samples


class Player:
    """Plays what it is sent ``delay_ms`` after it came, without a gap, and sends marks back, ``back_ms`` later."""

    def __init__(self, pacer: Pacer, delay_ms: int = 0, back_ms: int = 0) -> None:
        self.pacer = pacer
        self.delay_ms = delay_ms
        self.back_ms = back_ms
        self.ends: list[tuple[int, int]] = []  # when it has played so many samples
        self.marks: list[tuple[int, int]] = []  # when it came to a mark
        self.keeps: Callable[[int], bool] = lambda _number: True
        self.estimates: list[tuple[int, int, int]] = []  # when, samples heard as the pacer has it, and really

    def run(self, from_ms: int, to_ms: int) -> None:
        for now_ms in range(from_ms, to_ms, FRAME_MS):
            self.tick(now_ms)

    def tick(self, now_ms: int) -> None:
        for at_ms, number in [mark for mark in self.marks if mark[0] + self.back_ms <= now_ms]:
            self.marks.remove((at_ms, number))
            if self.keeps(number):
                self.pacer.reached(number, now_ms)
        frames = self.pacer.tick(now_ms)
        for _ in frames:
            end_ms, samples = self.ends[-1] if self.ends else (0, 0)
            self.ends.append((max(end_ms, now_ms + self.delay_ms) + FRAME_MS, samples + FRAME))
        if (new := self.pacer.mark()) is not None:
            self.marks.append((self.ends[-1][0], new))
        self.estimates.append((now_ms, self.pacer.heard_samples(now_ms), self.really(now_ms)))

    def really(self, now_ms: int) -> int:
        return max((samples for end_ms, samples in self.ends if end_ms <= now_ms), default=0)

    @property
    def heard_all_ms(self) -> int:
        """When the pacer took all for heard."""
        return next(at_ms for at_ms, heard, _ in self.estimates if heard == self.pacer.sent_samples == self.ends[-1][1])


def a_player(frames: int, delay_ms: int = 0, back_ms: int = 0) -> Player:
    pacer = Pacer(RATE_HZ, marks=Marks(come_back=True))
    pacer.push(array("h", [1] * (frames * FRAME)).tobytes())
    pacer.play(0)
    return Player(pacer, delay_ms, back_ms)


def test_a_mark_is_set_every_so_often_and_at_the_end() -> None:
    player = a_player(frames=60)
    numbers: list[int] = []
    for now_ms in range(0, 1_300, FRAME_MS):
        player.pacer.tick(now_ms)
        if (number := player.pacer.mark()) is not None:
            numbers.append(number)
            last_ms = now_ms

    assert [1, 2, 3] == numbers
    assert 60 * FRAME_MS - LEAD_MS <= last_ms <= 60 * FRAME_MS
    assert 2 * MARK_EVERY_MS < 60 * FRAME_MS


def test_nothing_is_marked_twice() -> None:
    player = a_player(frames=10)
    player.run(0, 1_000)

    assert player.pacer.mark() is None


def test_a_quick_listener_has_heard_it_on_time() -> None:
    player = a_player(frames=60)
    player.run(0, 2_000)

    assert 1_200 <= player.heard_all_ms <= 1_220
    assert player.pacer.at_rest


def test_a_late_listener_has_not_heard_the_end_before_they_have() -> None:
    player = a_player(frames=60, delay_ms=300, back_ms=40)
    player.run(0, 3_000)

    assert 1_500 <= player.heard_all_ms <= 1_560
    assert player.pacer.at_rest


def test_once_a_mark_has_come_back_the_position_is_right_to_within_two_frames_and_its_way() -> None:
    player = a_player(frames=200, delay_ms=300, back_ms=40)
    player.run(0, 4_200)
    errors = [abs(heard - really) * 1000 // RATE_HZ for at_ms, heard, really in player.estimates if at_ms > 1_000]

    assert max(errors) <= 40 + 2 * FRAME_MS


def test_until_the_first_mark_it_does_not_pass_it() -> None:
    player = a_player(frames=200, delay_ms=1_500)
    player.run(0, 1_900)

    assert max(heard for _, heard, _ in player.estimates) < 25 * FRAME


def test_the_position_never_goes_back_and_never_passes_what_was_sent() -> None:
    player = a_player(frames=200, delay_ms=100)
    for now_ms in range(0, 6_000, FRAME_MS):
        player.delay_ms = 100 if now_ms < 1_500 else 700
        player.tick(now_ms)
        _, heard, _ = player.estimates[-1]

        assert max(before for _, before, _ in player.estimates) == heard <= player.pacer.sent_samples


def test_a_lost_mark_is_made_up_for_by_the_next() -> None:
    player = a_player(frames=100, delay_ms=200)
    player.keeps = lambda number: number != 2
    player.run(0, 4_000)

    assert 2_200 <= player.heard_all_ms <= 2_240


def test_a_lost_last_mark_holds_the_end_up_and_not_for_ever() -> None:
    player = a_player(frames=60, delay_ms=200)
    player.keeps = lambda number: number < 3
    player.run(0, 5_000)

    assert 1_200 + LATE_MS < player.heard_all_ms <= 1_200 + 200 + LATE_MS + 2 * FRAME_MS
    assert player.pacer.at_rest


def test_of_a_listener_who_never_sends_one_back_the_clock_is_believed_in_the_end() -> None:
    player = a_player(frames=400)
    player.keeps = lambda _number: False
    player.run(0, 8_400)

    assert 8_000 <= player.heard_all_ms <= 8_040


def test_at_every_moment_something_moves_though_no_mark_comes_back() -> None:
    """An engine gives up a playout that does not move for three seconds."""
    player = a_player(frames=400)
    player.keeps = lambda _number: False
    player.run(0, 8_400)
    moved = [
        at_ms
        for (at_ms, heard, _), before in zip(player.estimates[1:], player.estimates, strict=False)
        if heard > before[1]
    ]

    assert max(later - at_ms for at_ms, later in pairwise(moved)) < 3_000


def test_what_is_dropped_and_sent_again_begins_where_the_late_listener_was() -> None:
    player = a_player(frames=200, delay_ms=300)
    player.run(0, 2_000)
    heard, really = player.pacer.heard_samples(2_000), player.really(2_000)
    player.pacer.pause()
    again = player.pacer.rewind(2_000)

    assert heard == player.pacer.sent_samples
    assert abs(heard - really) <= 2 * FRAME
    assert (300 + LEAD_MS) // FRAME_MS - 2 <= again // FRAME <= (300 + LEAD_MS) // FRAME_MS + 3


def test_a_mark_of_what_was_dropped_does_not_count() -> None:
    player = a_player(frames=200, delay_ms=300)
    player.run(0, 1_000)
    player.pacer.clear()
    player.pacer.push(array("h", [1] * FRAME).tobytes())
    player.pacer.play(1_000)
    player.pacer.tick(1_000)
    for number in range(1, 4):
        player.pacer.reached(number, 1_010)

    assert 0 == player.pacer.heard_samples(1_010)


def test_a_listener_who_stands_still_hears_nothing_meanwhile_and_goes_on_where_they_were() -> None:
    player = a_player(frames=50)
    player.run(0, 300)
    player.pacer.hold(300)
    held = [player.pacer.heard_samples(at_ms) for at_ms in (300, 400, 4_000)]
    player.pacer.play(4_000)
    player.pacer.tick(4_000)

    assert [15 * FRAME] * 3 == held
    assert [15 * FRAME, 17 * FRAME] == [player.pacer.heard_samples(at_ms) for at_ms in (4_019, 4_040)]


def test_what_was_on_its_way_when_they_stood_still_is_not_sent_again() -> None:
    player = a_player(frames=50)
    player.run(0, 500)
    sent = player.pacer.sent_samples
    player.pacer.hold(500)
    player.pacer.play(4_000)
    frames = player.pacer.tick(4_000)

    assert sent + len(frames) * FRAME == player.pacer.sent_samples
    assert len(frames) <= 1
