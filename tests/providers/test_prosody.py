"""How the voice ends: on tones that fall and fade, and on people, through telephones, noise and at low levels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from providers import prosody
from providers.resample import Resampler
from tests.recordings import BECKETT, silence

RATE_HZ = 16_000
ENDS = [BECKETT.phrase(number, before_ms=100, after_ms=180) for number in range(len(BECKETT.phrases))]

Samples = NDArray[np.float64]


def voice(*, to_hz: float, fade_db: float, length_ms: int = 1_500, from_hz: float = 150.0) -> bytes:
    """A buzz that keeps its pitch and level for all but its last 400 ms, and 180 ms of silence."""
    steady, last = (length_ms - 400) * RATE_HZ // 1000, 400 * RATE_HZ // 1000
    pitch_hz = np.concatenate([np.full(steady, from_hz), np.linspace(from_hz, to_hz, last)])
    level_db = np.concatenate([np.zeros(steady), np.linspace(0, -fade_db, last)])
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    buzz = sum((np.sin(n * phase) / n for n in range(1, 12)), start=np.zeros(len(phase)))
    return as_pcm(4_000 * buzz * 10 ** (level_db / 20)) + silence(180)


def as_pcm(samples: Samples) -> bytes:
    return np.clip(samples, -32768, 32767).astype("<i2").tobytes()


def as_samples(pcm: bytes) -> Samples:
    return np.frombuffer(pcm, "<i2").astype(np.float64)


def telephone(pcm: bytes) -> bytes:
    """8 kHz, nothing below 300 Hz."""
    narrow = Resampler(RATE_HZ, 8_000).process(pcm, last=True)
    spectrum = np.fft.rfft(as_samples(Resampler(8_000, RATE_HZ).process(narrow, last=True)))
    spectrum[: 300 * len(spectrum) * 2 // RATE_HZ] = 0
    return as_pcm(np.fft.irfft(spectrum))


def doubt(pcm: bytes) -> float:
    end = prosody.ending(pcm)
    assert end is not None
    return prosody.unfinished(end)


def test_the_pitch_of_the_end_is_told_in_semitones_against_the_rest() -> None:
    level, falling = (prosody.ending(voice(to_hz=hz, fade_db=0)) for hz in (150.0, 100.0))
    assert level is not None
    assert falling is not None

    assert level.pitch_st == pytest.approx(0, abs=0.1)
    assert falling.pitch_st == pytest.approx(-2.6, abs=0.7)  # 7 st within the last 400 of 500 ms


def test_the_level_of_the_end_is_told_in_decibels_against_the_rest() -> None:
    even, fading = (prosody.ending(voice(to_hz=150, fade_db=db)) for db in (0.0, 20.0))
    assert even is not None
    assert fading is not None

    assert even.level_db == pytest.approx(0, abs=3)
    assert fading.level_db == pytest.approx(-17, abs=3)


@pytest.mark.parametrize("from_hz", [90.0, 150.0, 260.0])
def test_a_voice_that_falls_and_fades_has_finished_and_one_that_stops_has_not(from_hz: float) -> None:
    finished = doubt(voice(from_hz=from_hz, to_hz=from_hz * 0.7, fade_db=20))
    stopped = doubt(voice(from_hz=from_hz, to_hz=from_hz * 1.1, fade_db=0))

    assert 0 == finished
    assert stopped > 3


@pytest.mark.parametrize("tail_ms", [160, 250, 400])
def test_silence_after_the_word_does_not_matter(tail_ms: int) -> None:
    spoken = voice(to_hz=150, fade_db=0)[: -len(silence(180))]

    assert doubt(spoken + silence(tail_ms)) == pytest.approx(doubt(spoken + silence(180)), abs=0.5)


@pytest.mark.parametrize("number", [0, 1, 2, 4, 5])
def test_people_who_finish_are_believed(number: int) -> None:
    assert doubt(ENDS[number]) < 0.5


def test_most_who_finish_are_believed_on_the_telephone() -> None:
    believed = [doubt(telephone(pcm)) < 0.5 for pcm in ENDS]

    assert sum(believed) >= 4


@pytest.mark.parametrize("pcm", ENDS)
def test_the_level_of_the_recording_does_not_matter(pcm: bytes) -> None:
    assert doubt(pcm) == pytest.approx(doubt(as_pcm(as_samples(pcm) / 10)), abs=0.3)


@pytest.mark.parametrize("pcm", ENDS)
def test_a_little_noise_changes_little_and_in_much_noise_it_says_nothing(pcm: bytes) -> None:
    samples = as_samples(pcm)
    noise = np.random.default_rng(1).normal(0, np.percentile(np.abs(samples), 90), len(samples))

    assert doubt(as_pcm(samples + noise / 100)) == pytest.approx(doubt(pcm), abs=1)
    assert prosody.ending(as_pcm(samples + noise / 3)) is None


@pytest.mark.parametrize(
    "pcm",
    [
        b"",
        b"\x01",
        bytes(100),
        silence(3_000),
        b"\xff\x7f" * 48_000,
        as_pcm(np.random.default_rng(1).normal(0, 3_000, 48_000)),
        voice(to_hz=150, fade_db=0)[-len(silence(220)) :],
    ],
    ids=["nothing", "half a sample", "3 ms", "silence", "a constant", "noise", "40 ms of voice"],
)
def test_without_a_voice_it_says_nothing(pcm: bytes) -> None:
    assert prosody.ending(pcm) is None


def test_only_the_last_three_seconds_are_looked_at() -> None:
    late = voice(to_hz=100, fade_db=10, length_ms=2_820)

    assert prosody.ending(late) == prosody.ending(voice(from_hz=300, to_hz=300, fade_db=0) + late)


@given(st.binary(max_size=20_000))
def test_it_survives_any_bytes(pcm: bytes) -> None:
    end = prosody.ending(pcm)

    assert end is None or 0 <= prosody.unfinished(end) < 20
