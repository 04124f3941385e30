from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from providers.audio import level_dbfs
from providers.noise.webrtc import WebRtc
from tests.recordings import BECKETT

FRAME_BYTES = 320


def cleaned(pcm: bytes, options: WebRtc.Options | None = None) -> bytes:
    stream = WebRtc(options).open()
    whole = range(0, len(pcm) - FRAME_BYTES + 1, FRAME_BYTES)
    return b"".join(stream.process(pcm[at : at + FRAME_BYTES]) for at in whole)


def white(samples: int, level_dbfs: float) -> bytes:
    noise = np.random.default_rng(4).standard_normal(samples) * 32768 * 10 ** (level_dbfs / 20)
    return np.rint(noise).astype("<i2").tobytes()


def signal(pcm: bytes) -> NDArray[np.float64]:
    return np.frombuffer(pcm, "<i2").astype(np.float64)


def test_noise_is_taken_away() -> None:
    noise = white(48_000, -40)
    later = slice(64_000, None)

    assert level_dbfs(cleaned(noise)[later]) < level_dbfs(noise[later]) - 10


def test_a_higher_level_takes_more_away() -> None:
    noise = white(48_000, -40)
    left = [level_dbfs(cleaned(noise, WebRtc.Options(noise_suppression_level=level))[64_000:]) for level in (1, 2, 3)]

    assert sorted(left, reverse=True) == left


def test_speech_keeps_its_level() -> None:
    pcm = BECKETT.pcm()
    phrase = BECKETT.phrases[1]
    words = slice(phrase.start_ms * 32, phrase.end_ms * 32)

    assert level_dbfs(pcm[words]) == pytest.approx(level_dbfs(cleaned(pcm)[words]), abs=2.0)


def test_the_delay_is_as_documented() -> None:
    pcm = BECKETT.pcm(to_ms=3_000)
    original, later = signal(pcm), signal(cleaned(pcm))
    lags = range(0, 640, 4)
    similarity = [float(np.dot(original[16_000:40_000], later[16_000 + lag : 40_000 + lag])) for lag in lags]
    delay_ms = lags[int(np.argmax(similarity))] / 16

    assert 6 == pytest.approx(delay_ms, abs=0.5)


def test_the_gain_control_raises_a_quiet_voice() -> None:
    quiet = (signal(BECKETT.pcm()) / 10).astype("<i2").tobytes()

    assert level_dbfs(cleaned(quiet, WebRtc.Options(auto_gain_dbfs=15))) > level_dbfs(cleaned(quiet)) + 6


def test_streams_do_not_know_of_each_other() -> None:
    webrtc = WebRtc()
    noisy, other = webrtc.open(), webrtc.open()
    frame = white(160, -20)
    for _ in range(100):
        noisy.process(frame)
    speech = BECKETT.pcm(from_ms=350, to_ms=360)

    assert webrtc.open().process(speech) == other.process(speech)


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(ValidationError):
        WebRtc.Options(noise_suppression_level=5)
