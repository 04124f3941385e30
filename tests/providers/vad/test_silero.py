from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from providers.vad.silero import Silero, SileroStream
from tests.recordings import BECKETT, TWO_CITIES, silence

WINDOW_BYTES = 1_024
WINDOW_MS = 32


@pytest.fixture
async def silero() -> AsyncIterator[Silero]:
    silero = Silero()
    await silero.warm_up()
    yield silero
    await silero.aclose()


async def probabilities(stream: SileroStream, pcm: bytes) -> list[float]:
    whole = range(0, len(pcm) - WINDOW_BYTES + 1, WINDOW_BYTES)
    return [await stream.detect(pcm[at : at + WINDOW_BYTES]) for at in whole]


async def test_the_words_of_a_recording_are_speech_and_the_pauses_are_not(silero: Silero) -> None:
    found = await probabilities(silero.open(), BECKETT.pcm())

    for phrase in BECKETT.phrases:
        inside = found[phrase.start_ms // WINDOW_MS + 3 : phrase.end_ms // WINDOW_MS - 3]
        assert min(inside) > 0.5
    for left, right in pairwise(BECKETT.phrases):
        between = found[left.end_ms // WINDOW_MS + 3 : right.start_ms // WINDOW_MS - 3]
        assert max(between) < 0.5


async def test_a_stream_is_judged_alike_alone_and_among_others(silero: Silero) -> None:
    recordings = [BECKETT.pcm(to_ms=3_000), TWO_CITIES.pcm(to_ms=3_000), TWO_CITIES.pcm(from_ms=8_000, to_ms=11_000)]
    alone = [await probabilities(silero.open(), pcm) for pcm in recordings]
    together = await asyncio.gather(*(probabilities(silero.open(), pcm) for pcm in recordings))

    np.testing.assert_allclose(together, alone, atol=1e-3)
    assert max(together[0]) > 0.9


async def test_windows_of_one_stream_asked_at_once_are_judged_in_order(silero: Silero) -> None:
    pcm = BECKETT.pcm(to_ms=1_500)
    windows = [pcm[at : at + WINDOW_BYTES] for at in range(0, len(pcm) - WINDOW_BYTES + 1, WINDOW_BYTES)]
    stream = silero.open()
    at_once = await asyncio.gather(*(stream.detect(window) for window in windows))

    np.testing.assert_allclose(at_once, await probabilities(silero.open(), pcm), atol=1e-3)


@pytest.mark.parametrize("still", [bytes(WINDOW_BYTES), b"\x08\x00\xf8\xff" * 256], ids=["zeros", "idle A-law"])
async def test_a_muted_line_costs_nothing(silero: Silero, still: bytes) -> None:
    stream = silero.open()
    for _ in range(20):
        await stream.detect(still)
    asked = stream.detect(still).send

    with pytest.raises(StopIteration) as answered:
        asked(None)  # it answers without waiting for anybody

    assert 0.0 == answered.value.value


@pytest.mark.parametrize("muted_ms", [200, 5_000])
async def test_speech_after_digital_silence_is_found_as_soon_as_ever(silero: Silero, muted_ms: int) -> None:
    speech = BECKETT.phrase(1)
    cut_off = BECKETT.pcm(from_ms=350, to_ms=900)
    fresh = await probabilities(silero.open(), speech)
    stream = silero.open()
    await probabilities(stream, cut_off + silence(muted_ms))
    after = await probabilities(stream, speech)

    def first(found: list[float]) -> int:
        return next(number for number, probability in enumerate(found) if probability > 0.5)

    assert abs(first(fresh) - first(after)) <= 1


async def test_silence_that_begins_in_mid_word_is_silence_at_once(silero: Silero) -> None:
    stream = silero.open()
    await probabilities(stream, BECKETT.pcm(from_ms=350, to_ms=900))

    assert max(await probabilities(stream, silence(320))) < 0.5


def test_nobody_is_told_that_a_model_runs(tmp_path: Path) -> None:
    program = "import asyncio, providers; asyncio.run(providers.create('vad', 'silero').warm_up())"
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment | {"HOME": str(tmp_path)})

    assert [] == [path for path in tmp_path.rglob("*") if path.is_file()]
