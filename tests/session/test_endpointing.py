"""The caller's voice, on synthetic probabilities, and how much silence ends a turn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from session.config import Endpointing
from session.endpointing import Hearing, wait_ms
from session.events import Heard

DEFAULT = Endpointing()


def hear(hearing: Hearing, *probabilities: float, span_ms: int = 20) -> list[bool]:
    """Each window arrives the moment it is over."""
    return [hearing.hear(Heard(span_ms, probability, hearing.position_ms + span_ms)) for probability in probabilities]


# --- how long to wait -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [(None, 500), (1.0, 200), (0.9, 200), (0.7, 400), (0.5, 600), (0.25, 1_550), (0.0, 2_500), (-1.0, 2_500)],
)
def test_the_corners_of_the_curve(verdict: float | None, expected: int) -> None:
    assert expected == wait_ms(DEFAULT, verdict)


@pytest.mark.parametrize(
    ("least", "most", "expected"),
    [("800ms", "2500ms", [800, 800, 2_500]), ("100ms", "400ms", [100, 400, 400]), ("300ms", "300ms", [300, 300, 300])],
)
def test_the_middle_stays_between_the_least_and_the_most(least: str, most: str, expected: list[int]) -> None:
    config = Endpointing(minimum_silence=least, minimum_silence_without_verdict=least, maximum_silence=most)

    assert expected == [wait_ms(config, verdict) for verdict in (0.9, 0.5, 0.0)]


configs = st.tuples(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 50_000)).map(
    lambda ms: Endpointing(ms[0] / 1000, ms[1] / 1000, (max(ms[0], ms[1]) + ms[2]) / 1000)
)


@given(configs, st.floats(0, 1), st.floats(0, 1))
def test_the_surer_it_is_over_the_shorter_the_wait(config: Endpointing, one: float, two: float) -> None:
    unsure, sure = sorted((one, two))

    assert wait_ms(config, sure) <= wait_ms(config, unsure)


@given(configs, st.floats(0, 1))
def test_the_wait_stays_in_its_bounds(config: Endpointing, verdict: float) -> None:
    assert config.minimum_silence_ms <= wait_ms(config, verdict) <= config.maximum_silence_ms


@given(configs, st.floats(0, 0.999))
def test_the_curve_has_no_jump(config: Endpointing, verdict: float) -> None:
    steepest = (config.maximum_silence_ms - config.minimum_silence_ms) / 0.4

    assert wait_ms(config, verdict) - wait_ms(config, verdict + 0.001) <= steepest * 0.001 + 1


@given(configs)
def test_without_a_verdict_the_wait_is_the_one_that_was_set(config: Endpointing) -> None:
    assert config.minimum_silence_without_verdict_ms == wait_ms(config, None)


# --- where speech begins ----------------------------------------------------------------------------------------


def test_speech_begins_with_the_window_that_makes_it_60_ms() -> None:
    hearing = Hearing()

    assert [False, False, False, True, False] == hear(hearing, 0.0, 0.9, 0.9, 0.9, 0.9)
    assert (True, 20, 80) == (hearing.speaking, hearing.onset_ms, hearing.voiced_ms)


def test_two_windows_of_32_ms_are_enough() -> None:
    assert [False, True] == hear(Hearing(), 0.9, 0.9, span_ms=32)


def test_a_click_is_not_speech() -> None:
    hearing = Hearing()

    assert not any(hear(hearing, 0.9, 0.9, 0.0, 0.9, 0.9, 0.0))
    assert (False, 0) == (hearing.speaking, hearing.voiced_ms)


@pytest.mark.parametrize(("first", "begins"), [(0.49, False), (0.5, True)])
def test_it_takes_half_a_chance_to_begin(first: float, *, begins: bool) -> None:
    assert begins == any(hear(Hearing(), first, 0.4, 0.4))


@pytest.mark.parametrize(("lowest", "silence_ms"), [(0.35, 0), (0.34, 20)])
def test_it_takes_less_to_go_on(lowest: float, silence_ms: int) -> None:
    hearing = Hearing()
    hear(hearing, 0.9, 0.9, 0.9, lowest)

    assert silence_ms == hearing.silence_ms
    assert hearing.voiced_now == (silence_ms == 0)


def test_a_soft_consonant_before_the_vowel_belongs_to_the_onset() -> None:
    hearing = Hearing()

    assert [False, False, False, True] == hear(hearing, 0.2, 0.2, 0.9, 0.9)
    assert 20 == hearing.onset_ms


def test_silence_before_the_vowel_does_not() -> None:
    hearing = Hearing()
    hear(hearing, 0.2, 0.1, 0.9, 0.9, 0.9)

    assert 40 == hearing.onset_ms


# --- where it stops ---------------------------------------------------------------------------------------------


def test_silence_is_counted_in_audio_from_the_last_voiced_window() -> None:
    hearing = Hearing()
    hear(hearing, 0.9, 0.9, 0.9, 0.0, 0.0)

    assert (60, 100, 40) == (hearing.last_voiced_ms, hearing.position_ms, hearing.silence_ms)


def test_a_short_gap_belongs_to_the_speech() -> None:
    hearing = Hearing()
    hear(hearing, 0.9, 0.9, 0.9, 0.0, 0.0, 0.9)

    assert (120, 0) == (hearing.voiced_ms, hearing.silence_ms)


def test_how_long_speech_lasts_is_told_to_the_nearest_window() -> None:
    hearing = Hearing()
    hear(hearing, *[0.9] * 5, span_ms=32)

    assert (True, False) == (hearing.voiced_for(176), hearing.voiced_for(177))

    hear(hearing, 0.9, span_ms=32)

    assert hearing.voiced_for(200)

    hearing.stop()

    assert not hearing.voiced_for(0)


def test_speech_that_was_stopped_must_begin_again() -> None:
    hearing = Hearing()
    hear(hearing, 0.9, 0.9, 0.9, 0.0)
    hearing.stop()

    assert [False, False, True] == hear(hearing, 0.9, 0.9, 0.9)
    assert (80, 60) == (hearing.onset_ms, hearing.voiced_ms)


def test_what_is_stopped_in_the_middle_of_a_word_begins_anew_and_not_where_the_word_began() -> None:
    hearing = Hearing()
    hear(hearing, 0.2, 0.9, 0.9, 0.9)
    hearing.stop()

    assert [False, False, True] == hear(hearing, 0.9, 0.9, 0.9)
    assert 80 == hearing.onset_ms


def test_arrivals_are_kept_beside_positions() -> None:
    hearing = Hearing()
    for arrived_ms in (1_000, 1_000, 1_050):
        hearing.hear(Heard(20, 0.9, arrived_ms))
    hearing.hear(Heard(20, 0.0, 1_300))

    assert (1_050, 1_300) == (hearing.last_voiced_arrived_ms, hearing.last_arrived_ms)


windows = st.lists(st.tuples(st.sampled_from([20, 32]), st.floats(0, 1)), max_size=60)


@given(windows)
def test_positions_are_in_order_whatever_is_heard(heard: list[tuple[int, float]]) -> None:
    hearing = Hearing()
    for span_ms, probability in heard:
        began = hearing.hear(Heard(span_ms, probability, 0))

        assert not began or (hearing.speaking and hearing.voiced_ms >= 60)
        assert 0 <= hearing.onset_ms <= max(hearing.last_voiced_ms, 0) <= hearing.position_ms
        assert not hearing.voiced_now or probability >= 0.35
    assert sum(span_ms for span_ms, _ in heard) == hearing.position_ms


@given(windows)
def test_speech_begins_once_until_it_is_stopped(heard: list[tuple[int, float]]) -> None:
    hearing = Hearing()

    assert 1 >= sum(hearing.hear(Heard(span_ms, probability, 0)) for span_ms, probability in heard)
