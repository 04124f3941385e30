"""Keys of a telephone, heard as tones in the caller's audio."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from providers.audio import decode, encode
from providers.inband_dtmf import InbandDtmf
from tests.recordings import BECKETT, ENDGAME, TWO_CITIES, Recording

TONES_HZ = {
    digit: (low, high)
    for low, row in ((697, "123A"), (770, "456B"), (852, "789C"), (941, "*0#D"))
    for high, digit in zip((1_209, 1_336, 1_477, 1_633), row, strict=True)
}
ALL = "0123456789*#ABCD1122"


def tone(
    digit: str, rate_hz: int, ms: int, *, dbfs: float, off: float = 0.0, twist_db: float = 0.0
) -> NDArray[np.float64]:
    """``dbfs``: of both tones together. ``twist_db``: the higher one against the lower."""
    low_hz, high_hz = TONES_HZ[digit]
    at = np.arange(rate_hz * ms // 1000) * (2 * np.pi * (1 + off) / rate_hz)
    ratio = 10 ** (twist_db / 20)
    both = np.sin(low_hz * at) + ratio * np.sin(high_hz * at + 1)
    scaled: NDArray[np.float64] = both * 32_768 * 10 ** (dbfs / 20) * np.sqrt(2 / (1 + ratio**2))
    return scaled


def pressed(
    digits: str, rate_hz: int, *, on_ms: int = 50, off_ms: int = 50, noise_dbfs: float | None = None, **of_tone: float
) -> bytes:
    """Over a telephone line."""
    dbfs = of_tone.pop("dbfs", -20.0)
    parts = [np.zeros(rate_hz // 30)]
    for digit in digits:
        parts += [tone(digit, rate_hz, on_ms, dbfs=dbfs, **of_tone), np.zeros(rate_hz * off_ms // 1000)]
    signal = np.concatenate([*parts, np.zeros(rate_hz // 10)])
    if noise_dbfs is not None:
        signal += np.random.default_rng(1).normal(0, 32_768 * 10 ** (noise_dbfs / 20), len(signal))
    pcm = np.rint(signal).clip(-32_768, 32_767).astype("<i2").tobytes()
    return decode(encode(pcm, "mulaw"), "mulaw")


def heard(pcm: bytes, rate_hz: int, *, step_bytes: int | None = None) -> str:
    dtmf, step = InbandDtmf(rate_hz), step_bytes or rate_hz // 50 * 2
    return "".join(digit for at in range(0, len(pcm), step) for digit in dtmf.feed(pcm[at : at + step]))


@pytest.mark.parametrize("rate_hz", [8_000, 16_000])
@pytest.mark.parametrize("dbfs", [-10.0, -20.0, -30.0, -35.0])
def test_every_digit_is_heard_once_over_a_noisy_line(rate_hz: int, dbfs: float) -> None:
    assert heard(pressed(ALL, rate_hz, dbfs=dbfs), rate_hz) == ALL
    assert heard(pressed(ALL, rate_hz, dbfs=dbfs, noise_dbfs=dbfs - 20), rate_hz) == ALL


def test_forty_milliseconds_of_tone_and_of_pause_are_enough() -> None:
    assert heard(pressed(ALL, 8_000, on_ms=40, off_ms=40), 8_000) == ALL


def test_a_key_that_is_held_is_one_digit() -> None:
    assert heard(pressed("5", 8_000, on_ms=3_000), 8_000) == "5"


@pytest.mark.parametrize("on_ms", [10, 20, 23])
def test_what_is_shorter_than_a_key_is_none(on_ms: int) -> None:
    assert not heard(pressed(ALL, 8_000, on_ms=on_ms), 8_000)


@pytest.mark.parametrize("off", [-0.015, 0.015])
def test_tones_may_be_off_by_one_and_a_half_percent(off: float) -> None:
    assert heard(pressed(ALL, 8_000, off=off), 8_000) == ALL


@pytest.mark.parametrize("off", [-0.035, 0.035])
def test_tones_that_are_off_by_three_and_a_half_percent_are_none(off: float) -> None:
    assert not heard(pressed(ALL, 8_000, off=off), 8_000)


@pytest.mark.parametrize("twist_db", [-8.0, 4.0])
def test_one_tone_may_be_louder_than_the_other(twist_db: float) -> None:
    assert heard(pressed(ALL, 8_000, twist_db=twist_db), 8_000) == ALL


@pytest.mark.parametrize("twist_db", [-12.0, 8.0])
def test_two_tones_of_very_different_loudness_are_no_key(twist_db: float) -> None:
    assert not heard(pressed(ALL, 8_000, twist_db=twist_db), 8_000)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000])
@pytest.mark.parametrize("recording", [BECKETT, TWO_CITIES, ENDGAME], ids=lambda recording: recording.name)
@pytest.mark.parametrize("times", [1, 5])
def test_nobody_says_a_digit(recording: Recording, rate_hz: int, times: int) -> None:
    samples = np.frombuffer(recording.pcm(rate_hz), "<i2").astype(np.int32) * times

    assert not heard(samples.clip(-32_768, 32_767).astype("<i2").tobytes(), rate_hz)


def test_noise_is_no_digit() -> None:
    noise = np.random.default_rng(2).normal(0, 3_000, 8_000 * 60).astype("<i2").tobytes()

    assert not heard(noise, 8_000)


@pytest.mark.parametrize("step_bytes", [1, 7, 320, 100_000])
def test_audio_may_come_in_pieces_of_any_length_even_half_a_sample(step_bytes: int) -> None:
    assert heard(pressed("159#", 8_000), 8_000, step_bytes=step_bytes) == "159#"


def test_a_rate_that_cannot_hold_the_tones_is_refused() -> None:
    with pytest.raises(ValueError, match="DTMF needs audio at 8000 Hz or more, not 4000"):
        InbandDtmf(4_000)
