"""A filter that learns by which way one sound becomes another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from session.aio.adaptive_filter import AdaptiveFilter, Spectra

FRAME = 160
RNG = np.random.default_rng(7)


def noise(frames: int) -> NDArray[np.int16]:
    return np.rint(RNG.standard_normal((frames, FRAME)) * 3_000).astype(np.int16)


def test_the_latest_frames_are_kept_in_one_piece_however_many_came() -> None:
    spectra, sound = Spectra(FRAME, 7), noise(40)
    for number, frame in enumerate(sound):
        spectra.take(frame)
        if number >= 7:
            expected = [np.fft.rfft(sound[at - 1 : at + 1].ravel()) for at in range(number, number - 7, -1)]
            np.testing.assert_allclose(expected, spectra.back(0, 7), rtol=1e-3, atol=10)
            np.testing.assert_allclose(expected[2:5], spectra.back(2, 3), rtol=1e-3, atol=10)


def test_it_learns_when_a_sound_comes_back_and_how_loud() -> None:
    delay, gain, sound = 3 * FRAME + 40, 0.5, noise(150)
    echo = np.concatenate([np.zeros(delay), sound.ravel() * gain])[: sound.size].reshape(-1, FRAME)
    spectra, learning = Spectra(FRAME, 10), AdaptiveFilter(FRAME, np.full(10, 0.1, np.float32))
    left = np.zeros(FRAME)
    for frame, heard in zip(sound, echo, strict=True):
        spectra.take(frame)
        left = heard - learning.expected(spectra.back(0, 10))
        learning.learn(spectra.back(0, 10), left)

    assert np.mean(left**2) < 1e-3 * np.mean(echo[-1] ** 2)
    assert 3 == learning.energies().argmax()
