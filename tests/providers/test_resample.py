from __future__ import annotations

import random

import numpy as np
import pytest
from numpy.typing import NDArray

from providers.resample import Resampler

RATES = [
    (8_000, 16_000),
    (16_000, 8_000),
    (48_000, 16_000),
    (16_000, 48_000),
    (22_050, 8_000),
    (22_050, 16_000),
    (22_050, 24_000),
    (22_050, 48_000),
    (44_100, 16_000),
    (24_000, 16_000),
]


def sine(frequency_hz: float, rate_hz: int, samples: int) -> NDArray[np.float64]:
    signal: NDArray[np.float64] = 8_000 * np.sin(2 * np.pi * frequency_hz / rate_hz * np.arange(samples))
    return signal


def pcm(signal: NDArray[np.float64]) -> bytes:
    return np.rint(signal).astype("<i2").tobytes()


def levels(data: bytes) -> NDArray[np.float64]:
    return np.frombuffer(data, "<i2").astype(np.float64)


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_a_sine_in_odd_pieces_comes_out_without_a_click(from_hz: int, to_hz: int) -> None:
    data = pcm(sine(440, from_hz, from_hz))
    rng = random.Random(7)
    resampler = Resampler(from_hz, to_hz)
    pieces, at = [], 0
    while at < len(data):
        step = 2 * rng.choice([0, 1, 7, 160, 333, 1_024])
        pieces.append(resampler.process(data[at : at + step]))
        at += step
    pieces.append(resampler.process(b"", last=True))
    joined = levels(b"".join(pieces))
    expected = sine(440, to_hz, to_hz)

    assert to_hz == len(joined)
    # 2.5 of 8,000 is 70 dB below the tone; at the edges the filter sees the signal begin and end.
    assert np.abs(joined - expected)[200:-200].max() < 2.5


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_the_output_does_not_depend_on_the_pieces(from_hz: int, to_hz: int) -> None:
    data = np.random.default_rng(3).integers(-20_000, 20_000, 5_001, np.int16).tobytes()
    whole = Resampler(from_hz, to_hz).process(data, last=True)
    resampler = Resampler(from_hz, to_hz)
    pieces = [resampler.process(data[at : at + 74]) for at in range(0, len(data), 74)]
    in_pieces = b"".join([*pieces, resampler.process(b"", last=True)])

    assert len(whole) == len(in_pieces)
    # The order of a sum of floats may differ.
    assert np.abs(levels(whole) - levels(in_pieces)).max() <= 1


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_each_frame_is_answered_with_a_frame(from_hz: int, to_hz: int) -> None:
    resampler = Resampler(from_hz, to_hz)
    frame = bytes(2 * (from_hz // 50))
    lengths = [len(resampler.process(frame)) // 2 for _ in range(50)]

    assert to_hz // 50 - round(resampler.delay_ms * to_hz / 1000) <= lengths[0]
    assert {to_hz // 50} == set(lengths[1:])
    assert resampler.delay_ms <= 4.1


@pytest.mark.parametrize(("from_hz", "to_hz"), [pair for pair in RATES if pair[0] > pair[1]])
def test_what_the_lower_rate_cannot_carry_is_gone(from_hz: int, to_hz: int) -> None:
    above = pcm(sine(to_hz / 2 * 1.02, from_hz, from_hz))
    left = levels(Resampler(from_hz, to_hz).process(above, last=True))

    assert np.abs(left[200:-200]).max() <= 3


def test_telephone_audio_passes_whole() -> None:
    top = pcm(sine(3_400, 8_000, 8_000))
    upsampled = levels(Resampler(8_000, 16_000).process(top, last=True))

    assert 8_000 == pytest.approx(np.abs(upsampled[200:-200]).max(), rel=0.01)


def test_equal_rates_pass_untouched() -> None:
    data = b"\x01\x02\x03\x04"
    resampler = Resampler(16_000, 16_000)

    assert data is resampler.process(data)
    assert 0 == resampler.delay_ms


def test_loud_audio_is_clipped_and_does_not_wrap() -> None:
    square = np.where(np.arange(1_600) // 40 % 2, 32_767, -32_768).astype("<i2").tobytes()
    converted = levels(Resampler(16_000, 48_000).process(square, last=True))

    assert -32_768 == converted.min()
    assert 32_767 == converted.max()
    assert np.abs(np.diff(converted)).max() < 40_000


def test_a_long_piece_takes_no_more_memory_at_once() -> None:
    ten_seconds = bytes(2 * 220_500)

    assert 480_000 * 2 == len(Resampler(22_050, 48_000).process(ten_seconds, last=True))


def test_the_last_piece_and_a_reset_begin_a_new_signal() -> None:
    tone = pcm(sine(440, 8_000, 800))
    resampler = Resampler(8_000, 16_000)
    first = resampler.process(tone, last=True)
    resampler.process(tone)
    resampler.reset()

    assert first == resampler.process(tone, last=True)


def test_nothing_gives_nothing() -> None:
    resampler = Resampler(8_000, 16_000)

    assert b"" == resampler.process(b"")
    assert b"" == resampler.process(b"", last=True)


@pytest.mark.parametrize("rates", [(0, 16_000), (16_000, -1)])
def test_a_rate_is_positive(rates: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="cannot convert"):
        Resampler(*rates)
