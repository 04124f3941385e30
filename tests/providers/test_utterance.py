from __future__ import annotations

from array import array

import numpy as np
import pytest

from providers.utterance import Span, Utterance
from tests.recordings import BECKETT, TWO_CITIES, silence

RATE_HZ = 16_000


def hum(duration_ms: int, level: float = 0.1) -> bytes:
    count = RATE_HZ * duration_ms // 1000
    wave = np.sin(2 * np.pi * 200 / RATE_HZ * np.arange(count))
    return array("h", np.rint(32767 * level * wave).astype(int).tolist()).tobytes()


def noise(duration_ms: int, level: float = 0.001) -> bytes:
    rng = np.random.default_rng(5)
    return np.rint(rng.standard_normal(RATE_HZ * duration_ms // 1000) * 32767 * level).astype("<i2").tobytes()


def heard(*pieces: bytes) -> Utterance:
    utterance = Utterance(RATE_HZ)
    for piece in pieces:
        utterance.feed(piece)
    return utterance


def test_speech_is_what_is_loud() -> None:
    assert Span(25, 50, 25) == heard(noise(500), hum(500), noise(500)).speech()


def test_audio_may_come_in_pieces_of_any_length() -> None:
    whole = noise(500) + hum(500) + noise(500)
    utterance = heard(*(whole[at : at + 77] for at in range(0, len(whole), 77)))

    assert Span(25, 50, 25) == utterance.speech()
    assert hum(500) == utterance.pcm(Span(25, 50))


@pytest.mark.parametrize("audio", [b"", silence(2_000), noise(2_000), noise(2_000, 0.1), noise(500) + hum(40)])
def test_silence_noise_and_clicks_are_not_speech(audio: bytes) -> None:
    assert heard(audio).speech() is None


@pytest.mark.parametrize("divisor", [1, 10])
def test_the_words_of_a_recording_are_found_at_any_loudness(divisor: int) -> None:
    first = BECKETT.phrases[0]
    samples = np.frombuffer(BECKETT.phrase(0), "<i2") // divisor
    speech = heard(samples.astype("<i2").tobytes()).speech()
    began_ms = first.start_ms - 200

    assert speech is not None
    assert first.start_ms == pytest.approx(began_ms + speech.start * 20, abs=150)
    assert first.end_ms == pytest.approx(began_ms + speech.end * 20, abs=220)  # the room goes on for a while


def test_what_is_dropped_is_held_no_more_and_frames_keep_their_numbers() -> None:
    utterance = heard(noise(500), hum(500), noise(500))
    utterance.drop(20)

    assert 1_100 == utterance.held_ms
    assert (20, 75) == (utterance.start, utterance.end)
    assert Span(25, 50, 25) == utterance.speech()
    assert hum(500) == utterance.pcm(Span(25, 50))
    assert b"" == utterance.pcm(Span(0, 20))


def test_the_room_after_dropped_speech_is_not_taken_for_speech() -> None:
    utterance = heard(noise(500), hum(500), noise(500))
    utterance.drop(55)
    utterance.feed(noise(1_000))

    assert utterance.speech() is None


def test_dropping_everything_and_more_leaves_nothing() -> None:
    utterance = heard(hum(500))
    utterance.drop(99)
    utterance.drop(-5)

    assert 0 == utterance.held_ms
    assert 25 == utterance.start


def test_speech_may_be_sought_before_a_frame_only() -> None:
    utterance = heard(noise(500), hum(500), noise(500), hum(500), noise(200))

    assert Span(25, 100, 50) == utterance.speech()
    assert Span(25, 50, 25) == utterance.speech(before=60)
    assert utterance.speech(before=25) is None


def test_the_quietest_place_is_the_middle_of_the_longest_pause() -> None:
    utterance = heard(hum(1_000), noise(200), hum(1_000), noise(400), hum(1_000))

    assert 120 == utterance.quietest(Span(0, 180))


def test_without_a_pause_it_is_the_softest_moment() -> None:
    utterance = heard(noise(200), hum(1_000), hum(200, 0.05), hum(1_000))

    assert 60 <= utterance.quietest(Span(20, 110)) < 70


def test_a_recording_is_cut_between_two_phrases() -> None:
    utterance = heard(TWO_CITIES.pcm(to_ms=8_000))
    cut_ms = 20 * utterance.quietest(Span(100, 300))

    assert TWO_CITIES.phrases[0].end_ms < cut_ms < TWO_CITIES.phrases[1].start_ms
