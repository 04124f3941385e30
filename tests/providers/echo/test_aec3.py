from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from providers.audio import level_dbfs
from providers.echo.aec3 import Aec3
from tests.recordings import BECKETT, TWO_CITIES

SAMPLES = Aec3.frame_samples


def signal(pcm: bytes) -> NDArray[np.float64]:
    return np.frombuffer(pcm, "<i2").astype(np.float64)


def returned(pcm: bytes, delay_ms: int, below_db: float) -> bytes:
    faint = np.rint(signal(pcm) * 10 ** (-below_db / 20)).astype("<i2").tobytes()
    return (bytes(delay_ms * 32) + faint)[: len(pcm)]


def cleaned(played: bytes, heard: bytes) -> bytes:
    stream, clean = Aec3().open(), []
    for at in range(0, len(heard) - 2 * SAMPLES + 1, 2 * SAMPLES):
        stream.played(played[at : at + 2 * SAMPLES])
        clean.append(stream.process(heard[at : at + 2 * SAMPLES]))
    return b"".join(clean)


@pytest.mark.parametrize("below_db", [10, 18])
@pytest.mark.parametrize("delay_ms", [60, 200, 400])
def test_an_echo_is_found_whenever_it_comes(delay_ms: int, below_db: float) -> None:
    said = TWO_CITIES.pcm(from_ms=1_000, to_ms=6_000)
    heard = returned(said, delay_ms, below_db)
    later = slice(64_000, None)

    assert level_dbfs(cleaned(said, heard)[later]) < level_dbfs(heard[later]) - 25


def test_what_it_holds_back_is_as_documented() -> None:
    heard = BECKETT.pcm(to_ms=4_000)
    before, after = signal(heard), signal(cleaned(bytes(len(heard)), heard))
    lags = range(400)
    similarity = [float(np.dot(before[5_000:50_000], after[5_000 + lag : 50_000 + lag])) for lag in lags]

    assert Aec3.delay_samples == pytest.approx(lags[int(np.argmax(similarity))], abs=2)


def test_streams_do_not_know_of_each_other() -> None:
    aec3 = Aec3()
    other = aec3.open()
    busy = aec3.open()
    frame = TWO_CITIES.pcm(from_ms=2_000, to_ms=2_010)
    for _ in range(100):
        busy.played(frame)
        busy.process(frame)

    assert aec3.open().process(frame) == other.process(frame)
