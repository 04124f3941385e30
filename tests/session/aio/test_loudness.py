"""A caller's loudness, evened out for whoever transcribes."""

from __future__ import annotations

from array import array

import numpy as np
import pytest

from providers.audio import level_dbfs
from session.aio.loudness import FAINT_DBFS, LOUD_DBFS, MOST_DB, Loudness
from tests.recordings import TWO_CITIES

WINDOW_BYTES = 1_024
RECORDED = TWO_CITIES.pcm(from_ms=1_200, to_ms=12_720)
"""Speech of -38 dBFS, its pauses included."""


def louder(pcm: bytes, by_db: float) -> bytes:
    factor = 10 ** (by_db / 20)
    return array("h", [max(-32_768, min(32_767, round(sample * factor))) for sample in array("h", pcm)]).tobytes()


def evened(loudness: Loudness, pcm: bytes) -> bytes:
    """As an ear does: a window is judged, and then handed over. What is loud enough is speech."""
    out = bytearray()
    for at in range(0, len(pcm), WINDOW_BYTES):
        window = pcm[at : at + WINDOW_BYTES]
        loudness.hear(window, 0.9 if level_dbfs(window) > level_dbfs(pcm) - 5 else 0.1)
        out += loudness.even(window)
    return bytes(out)


@pytest.mark.parametrize("by_db", [-10, -20, -25])
def test_a_faint_caller_is_raised_to_where_speech_is_heard_well(by_db: float) -> None:
    raised = evened(Loudness(), louder(RECORDED, by_db))

    assert level_dbfs(raised) == pytest.approx(FAINT_DBFS - 4, abs=3)


def test_a_caller_who_is_too_loud_is_lowered_and_nothing_is_cut() -> None:
    raised = evened(Loudness(), louder(RECORDED, 35))

    assert level_dbfs(raised) < LOUD_DBFS
    assert max(map(abs, array("h", raised))) < 32_767


def test_whoever_speaks_neither_faintly_nor_too_loudly_is_left_as_they_are() -> None:
    caller = louder(RECORDED, 17)

    assert caller == evened(Loudness(), caller)


def test_nothing_is_raised_before_there_was_speech() -> None:
    loudness, quiet = Loudness(), louder(RECORDED, -20)
    for at in range(0, len(quiet), WINDOW_BYTES):
        loudness.hear(quiet[at : at + WINDOW_BYTES], 0.2)

    assert quiet == loudness.even(quiet)
    assert 0.0 == loudness.gain_db


def test_noise_after_faint_speech_is_no_reason_to_raise_more() -> None:
    loudness = Loudness()
    evened(loudness, louder(RECORDED, -10))
    before_db = loudness.gain_db
    noise = np.random.default_rng(1).normal(0, 30, 16_000 * 10).astype("<i2").tobytes()
    for at in range(0, len(noise), WINDOW_BYTES):
        loudness.hear(noise[at : at + WINDOW_BYTES], 0.1)

    assert before_db == loudness.gain_db


def test_there_is_a_limit_to_what_is_raised() -> None:
    loudness = Loudness()
    loudness.hear(louder(RECORDED, -40), 0.9)

    assert MOST_DB == loudness.gain_db


def test_digital_silence_is_no_speech_whatever_voice_activity_says() -> None:
    loudness = Loudness()
    loudness.hear(bytes(WINDOW_BYTES), 1.0)

    assert 0.0 == loudness.gain_db


def test_what_begins_is_even_from_its_first_sample_and_what_goes_on_changes_bit_by_bit() -> None:
    loudness, steady = Loudness(), array("h", [100, -100] * 256)
    loudness.hear(steady.tobytes(), 0.9)
    begins = array("h", loudness.even(steady.tobytes(), begins=True))
    other = Loudness()
    other.hear(steady.tobytes(), 0.9)
    goes_on = array("h", other.even(steady.tobytes()))

    assert begins[0] == begins[-2] > 300
    assert 100 == goes_on[0] < goes_on[256] < goes_on[-2]
