"""Frames on time, never far ahead of it, and no sample lost or repeated. Time is an argument."""

from __future__ import annotations

from array import array
from collections import deque
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from session.pacer import FRAME_MS, LEAD_MS, Pacer

RATE_HZ = 8_000
FRAME = 160  # samples


def audio(samples: int, first: int = 1) -> bytes:
    """Samples that can be told apart from each other and from silence."""
    return array("h", range(first, first + samples)).tobytes()


def samples_of(frames: list[bytes]) -> list[int]:
    """All but the silence that fills a last frame up."""
    return [sample for frame in frames for sample in array("h", frame) if sample]


def playing(frames: int, at_ms: int = 0) -> Pacer:
    pacer = Pacer(RATE_HZ)
    pacer.push(audio(frames * FRAME))
    pacer.play(at_ms)
    return pacer


# --- on time ----------------------------------------------------------------------------------------------------


def test_nothing_is_sent_before_it_plays() -> None:
    pacer = Pacer(RATE_HZ)
    pacer.push(audio(10 * FRAME))

    assert [] == pacer.tick(1_000)
    assert pacer.at_rest


def test_nothing_is_sent_when_nothing_is_queued() -> None:
    pacer = Pacer(RATE_HZ)
    pacer.play(0)

    assert [] == pacer.tick(1_000)
    assert pacer.at_rest


def test_it_starts_with_the_lead_and_goes_on_with_a_frame_every_20_ms() -> None:
    pacer = playing(frames=50)

    assert LEAD_MS // FRAME_MS + 1 == len(pacer.tick(0))
    assert [1] * 20 == [len(pacer.tick(at_ms)) for at_ms in range(20, 420, 20)]


def test_a_tick_between_two_frames_sends_nothing() -> None:
    pacer = playing(frames=50)
    pacer.tick(0)

    assert [0, 1, 0] == [len(pacer.tick(at_ms)) for at_ms in (19, 20, 21)]


def test_every_frame_has_20_ms() -> None:
    assert {FRAME * 2} == {len(frame) for frame in playing(frames=6).tick(0)}
    assert 441 == Pacer(22_050).frame_samples


def test_the_lead_is_a_parameter() -> None:
    pacer = Pacer(RATE_HZ, lead_ms=40)
    pacer.push(audio(10 * FRAME))
    pacer.play(0)

    assert 3 == len(pacer.tick(0))


def test_what_is_sent_is_what_was_queued_in_order() -> None:
    pacer = Pacer(RATE_HZ)
    for first in range(1, 1_601, 100):
        pacer.push(audio(100, first))
    pacer.play(0)
    frames = [frame for at_ms in range(0, 400, 20) for frame in pacer.tick(at_ms)]

    assert list(range(1, 1_601)) == samples_of(frames)


# --- the last frame ---------------------------------------------------------------------------------------------


def test_a_last_frame_that_is_not_full_is_filled_up_with_silence() -> None:
    pacer = Pacer(RATE_HZ)
    pacer.push(audio(FRAME + 10))
    pacer.play(0)
    full, padded = pacer.tick(0)

    assert audio(FRAME) == full
    assert audio(10, FRAME + 1) + bytes(2 * (FRAME - 10)) == padded
    assert FRAME + 10 == pacer.sent_samples


def test_a_first_frame_that_is_not_full_waits_for_the_rest_a_moment() -> None:
    pacer = Pacer(RATE_HZ)
    pacer.play(0)
    pacer.push(audio(10))
    early = pacer.tick(0)
    pacer.push(audio(FRAME - 10, 11))
    full = pacer.tick(1)
    pacer.clear()
    pacer.push(audio(10))
    pacer.play(100)

    assert ([], [audio(FRAME)]) == (early, full)
    assert [0, 0, 1] == [len(pacer.tick(at_ms)) for at_ms in (100, 119, 120)]


def test_it_waits_for_the_rest_as_long_as_it_may() -> None:
    pacer = Pacer(RATE_HZ)
    pacer.push(audio(3 * FRAME + 10))
    pacer.play(0)

    assert [3, 0, 0] == [len(pacer.tick(at_ms)) for at_ms in (0, 20, 39)]

    pacer.push(audio(FRAME - 10))

    assert 1 == len(pacer.tick(39))
    assert 4 * FRAME == pacer.sent_samples


def test_it_goes_out_on_time_whatever_the_phase_of_the_ticks() -> None:
    for phase_ms in range(FRAME_MS):
        pacer = Pacer(RATE_HZ)
        pacer.push(audio(3 * FRAME + 10))
        pacer.play(0)
        sent = [len(pacer.tick(at_ms)) for at_ms in (0, *range(phase_ms, 101, FRAME_MS))]

        assert (4, 0) == (sum(sent), pacer.late_frames)


# --- not on time ------------------------------------------------------------------------------------------------


def test_a_frame_that_comes_when_the_listener_has_run_dry_is_late() -> None:
    pacer = playing(frames=50)
    pacer.tick(0)  # good until 120

    assert 1 == len(pacer.tick(20))  # until 140
    assert 0 == pacer.late_frames

    pacer.tick(141)

    assert 1 == pacer.late_frames


def test_every_frame_that_was_not_there_in_its_time_is_counted() -> None:
    pacer = playing(frames=50)
    pacer.tick(0)
    pacer.tick(120 + 900)

    assert 45 == pacer.late_frames


def test_after_a_stall_no_burst_is_sent_and_all_is_heard_that_much_later() -> None:
    pacer = playing(frames=50)
    pacer.tick(0)

    assert 6 == len(pacer.tick(1_000))
    assert 6 * FRAME == pacer.heard_samples(1_000)
    assert 7 * FRAME == pacer.heard_samples(1_020)


def test_a_synthesis_that_is_too_slow_shifts_the_schedule_and_is_not_late() -> None:
    pacer = playing(frames=2)
    pacer.tick(0)
    pacer.tick(40)
    pacer.push(audio(20 * FRAME))

    assert 6 == len(pacer.tick(500))
    assert 0 == pacer.late_frames
    assert [2 * FRAME, 3 * FRAME] == [pacer.heard_samples(at_ms) for at_ms in (519, 520)]


# --- pausing and clearing ---------------------------------------------------------------------------------------


def test_after_a_pause_it_goes_on_with_the_very_next_sample() -> None:
    pacer = playing(frames=20)
    before = pacer.tick(0)
    pacer.pause()
    meanwhile = pacer.tick(500)
    pacer.play(2_000)
    after = pacer.tick(2_000)

    assert [] == meanwhile
    assert list(range(1, 12 * FRAME + 1)) == samples_of(before + after)
    assert 0 == pacer.late_frames


def test_what_was_sent_before_a_pause_is_still_heard() -> None:
    pacer = playing(frames=20)
    pacer.tick(0)
    pacer.pause()

    assert not pacer.at_rest
    assert [5 * FRAME, 6 * FRAME] == [pacer.heard_samples(at_ms) for at_ms in (119, 120)]
    assert pacer.at_rest


def test_a_short_pause_does_not_send_ahead_of_what_is_still_playing() -> None:
    pacer = playing(frames=20)
    pacer.tick(0)
    pacer.pause()
    pacer.play(10)

    assert [0, 1] == [len(pacer.tick(at_ms)) for at_ms in (10, 20)]


def test_clearing_drops_everything_and_holds_until_the_next_play() -> None:
    pacer = playing(frames=20)
    pacer.tick(0)
    pacer.report(played_ms=50)
    pacer.clear()
    pacer.push(audio(FRAME))

    assert [] == pacer.tick(1_000)
    assert (False, 0, 0) == (pacer.playing, pacer.sent_samples, pacer.heard_samples(1_000))

    pacer.play(1_000)

    assert [audio(FRAME)] == pacer.tick(1_000)
    assert [0, FRAME] == [pacer.heard_samples(at_ms) for at_ms in (1_019, 1_020)]


# --- what was heard ---------------------------------------------------------------------------------------------


def test_a_frame_was_heard_when_its_time_is_over() -> None:
    pacer = playing(frames=2, at_ms=1_000)
    pacer.tick(1_000)

    assert [0, FRAME, FRAME, 2 * FRAME] == [pacer.heard_samples(at_ms) for at_ms in (1_019, 1_020, 1_039, 1_040)]


def test_it_is_at_rest_when_the_last_frame_was_heard() -> None:
    pacer = playing(frames=1)
    pacer.tick(0)

    assert not pacer.at_rest

    pacer.heard_samples(20)

    assert pacer.at_rest


def test_a_listener_who_reports_is_believed_up_to_what_was_sent() -> None:
    pacer = playing(frames=20)
    pacer.tick(0)
    pacer.report(played_ms=30)

    assert 240 == pacer.heard_samples(1_000)

    pacer.report(played_ms=5_000)

    assert 6 * FRAME == pacer.heard_samples(1_000)


def test_a_report_of_more_than_was_sent_says_nothing_about_what_is_sent_later() -> None:
    pacer = playing(frames=20)
    pacer.tick(0)
    pacer.report(played_ms=5_000)
    pacer.tick(20)

    assert 7 * FRAME == pacer.sent_samples
    assert 6 * FRAME == pacer.heard_samples(20)


def test_a_report_that_comes_before_the_first_sample_is_of_another_reply() -> None:
    pacer = playing(frames=20)
    pacer.report(played_ms=5_000)
    pacer.tick(0)

    assert [0, FRAME] == [pacer.heard_samples(at_ms) for at_ms in (0, 20)]


def test_a_listener_who_has_heard_nothing_of_nothing_is_believed() -> None:
    pacer = playing(frames=20)
    pacer.report(played_ms=0)
    pacer.tick(0)

    assert 0 == pacer.heard_samples(1_000)


# --- in any order and at any time -------------------------------------------------------------------------------

steps = st.lists(
    st.tuples(
        st.integers(0, 60) | st.sampled_from([0, 20, 20, 20, 300]),
        st.sampled_from(["tick", "tick", "push", "push", "play", "pause", "clear"]),
        st.integers(1, 2_000),
    ),
    max_size=60,
)


@given(steps)
def test_it_keeps_its_promises_to_a_listener_who_plays_frame_after_frame(taken: list[tuple[int, str, int]]) -> None:
    """No sample is lost, repeated or out of order; the listener never holds more than the lead and a frame; and the
    pacer knows what they have heard."""
    pacer, fresh, now_ms = Pacer(RATE_HZ), count(1), 0
    queued: deque[int] = deque()
    ends: list[tuple[int, int]] = []  # when the listener has played a frame, and the samples of the reply up to there
    buffer_ends_ms, sent, late_before = 0, 0, 0
    for wait_ms, step, amount in taken:
        now_ms += wait_ms
        if step == "push":
            samples = [next(fresh) % 30_000 + 1 for _ in range(amount)]
            queued.extend(samples)
            pacer.push(array("h", samples).tobytes())
        elif step == "play":
            pacer.play(now_ms)
        elif step == "pause":
            pacer.pause()
        elif step == "clear":
            pacer.clear()
            queued.clear()
            ends.clear()
            buffer_ends_ms, sent = now_ms, 0
        ran_dry = buffer_ends_ms < now_ms
        for frame in pacer.tick(now_ms):
            samples = samples_of([frame])
            sent += len(samples)
            buffer_ends_ms = max(buffer_ends_ms, now_ms) + FRAME_MS
            ends.append((buffer_ends_ms, sent))

            assert 2 * FRAME == len(frame)
            assert [queued.popleft() for _ in samples] == samples

        assert buffer_ends_ms - now_ms <= LEAD_MS + FRAME_MS
        assert max((upto for end_ms, upto in ends if end_ms <= now_ms), default=0) == pacer.heard_samples(now_ms)
        assert sent == pacer.sent_samples
        assert ran_dry or pacer.late_frames == late_before
        late_before = pacer.late_frames


@given(st.lists(st.integers(1, 700), min_size=1, max_size=20), st.integers(1, FRAME_MS))
def test_with_regular_ticks_all_of_it_is_sent_and_nothing_late(pushes: list[int], tick_ms: int) -> None:
    pacer, now_ms, sent = Pacer(RATE_HZ), 0, 0
    for samples in pushes:
        pacer.push(audio(samples))
    pacer.play(0)
    while not pacer.at_rest:
        sent += len(samples_of(pacer.tick(now_ms)))
        pacer.heard_samples(now_ms)
        now_ms += tick_ms

    assert sum(pushes) == sent == pacer.heard_samples(now_ms)
    assert 0 == pacer.late_frames


# --- taken back -------------------------------------------------------------------------------------------------


def test_what_was_sent_and_not_heard_is_sent_again() -> None:
    pacer = playing(frames=20)
    before = samples_of(pacer.tick(0)) + samples_of(pacer.tick(20)) + samples_of(pacer.tick(40))
    pacer.pause()
    again = pacer.rewind(50)
    heard = pacer.heard_samples(5_000)
    pacer.play(5_000)
    rest = [sample for at_ms in range(5_000, 6_000, 20) for sample in samples_of(pacer.tick(at_ms))]

    assert 2 * FRAME == heard
    assert len(before) - heard == again
    assert list(range(1, 20 * FRAME + 1)) == before[:heard] + rest
    assert 20 * FRAME == pacer.heard_samples(6_000)


def test_a_last_frame_is_taken_back_without_its_silence() -> None:
    pacer = Pacer(RATE_HZ)
    pacer.push(audio(FRAME + 10))
    pacer.play(0)
    pacer.tick(0)
    pacer.tick(20)
    pacer.pause()
    pacer.rewind(20)
    pacer.play(100)

    assert list(range(FRAME + 1, FRAME + 11)) == samples_of(pacer.tick(100) + pacer.tick(120))


def test_it_is_taken_back_to_the_sample_that_the_listener_reported() -> None:
    pacer = playing(frames=100)
    for at_ms in range(0, 500, 20):
        pacer.tick(at_ms)
    pacer.report(305)
    pacer.pause()
    pacer.rewind(500)
    heard = pacer.heard_samples(1_000)
    pacer.play(1_000)
    first, *_ = samples_of(pacer.tick(1_000))

    assert 305 * RATE_HZ // 1000 == heard
    assert heard + 1 == first


def test_after_that_a_reported_position_counts_from_there() -> None:
    pacer = playing(frames=100)
    pacer.tick(0)
    pacer.report(40)
    pacer.pause()
    pacer.rewind(60)
    pacer.play(1_000)
    pacer.tick(1_000)
    pacer.report(20)

    assert 60 * RATE_HZ // 1000 == pacer.heard_samples(1_000)


def test_a_listener_that_is_far_behind_has_a_second_again() -> None:
    pacer = playing(frames=200)
    for at_ms in range(0, 3_000, 20):
        pacer.tick(at_ms)
    pacer.report(0)
    pacer.pause()

    assert RATE_HZ == pacer.rewind(3_000)


def test_nothing_is_taken_back_of_what_was_cleared() -> None:
    pacer = playing(frames=20)
    pacer.tick(0)
    pacer.clear()

    assert 0 == pacer.rewind(0)
    assert pacer.at_rest
