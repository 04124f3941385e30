from __future__ import annotations

import math
from array import array

import numpy as np
import pytest

from providers.audio import Encoding, decode, duration_ms, encode, level_dbfs, sample_count

EVERY_SAMPLE = array("h", range(-32768, 32768)).tobytes()


def samples(pcm: bytes) -> list[int]:
    return array("h", pcm).tolist()


def test_lengths_are_counted_in_whole_samples_and_whole_milliseconds() -> None:
    assert 3 == sample_count(bytes(7))
    assert 20 == duration_ms(bytes(640), 16_000)
    assert 19 == duration_ms(bytes(638), 16_000)
    assert 0 == duration_ms(b"", 16_000)


def test_the_level_of_a_full_square_wave_is_zero() -> None:
    assert math.isclose(0.0, level_dbfs(array("h", [-32768] * 8).tobytes()))


def test_half_the_amplitude_is_six_decibels_less() -> None:
    assert -6.02 == pytest.approx(level_dbfs(array("h", [16384, -16384] * 8).tobytes()), abs=0.01)


@pytest.mark.parametrize("pcm", [b"", bytes(320)])
def test_silence_has_no_level(pcm: bytes) -> None:
    assert -math.inf == level_dbfs(pcm)


def test_pcm_passes_as_it_is() -> None:
    assert EVERY_SAMPLE is decode(EVERY_SAMPLE, "pcm_s16le")
    assert EVERY_SAMPLE is encode(EVERY_SAMPLE, "pcm_s16le")


@pytest.mark.parametrize(
    ("encoding", "known"),
    [
        ("mulaw", {0xFF: 0, 0x7F: 0, 0x80: 32124, 0x00: -32124, 0xFE: 8, 0x7E: -8}),  # ITU-T G.711 table 2a, 2b
        ("alaw", {0xD5: 8, 0x55: -8, 0xAA: 32256, 0x2A: -32256}),  # table 1a, 1b
    ],
)
def test_g711_decodes_to_the_values_of_the_standard(encoding: Encoding, known: dict[int, int]) -> None:
    assert list(known.values()) == samples(decode(bytes(known), encoding))


@pytest.mark.parametrize("encoding", ["mulaw", "alaw"])
def test_every_code_survives_the_way_there_and_back(encoding: Encoding) -> None:
    levels = decode(bytes(range(256)), encoding)

    assert levels == decode(encode(levels, encoding), encoding)


@pytest.mark.parametrize(("encoding", "steps"), [("mulaw", 255), ("alaw", 256)])
def test_every_sample_becomes_the_nearest_step(encoding: Encoding, steps: int) -> None:
    heard = np.array(samples(decode(encode(EVERY_SAMPLE, encoding), encoding)))
    levels = np.unique(heard)
    every = np.arange(-32768, 32768)
    above = np.searchsorted(levels, every).clip(0, len(levels) - 1)
    nearest = np.minimum(abs(every - levels[above]), abs(every - levels[above - 1 + (above == 0)]))

    assert steps == len(levels)
    assert nearest.tolist() == abs(every - heard).tolist()


def test_an_empty_piece_stays_empty() -> None:
    assert b"" == encode(decode(b"", "mulaw"), "mulaw")
