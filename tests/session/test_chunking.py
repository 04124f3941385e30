"""Where the audio of an utterance is cut."""

from __future__ import annotations

from array import array
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from session.chunking import FRAME_MS, Chunk, Cutter
from session.config import Chunking

RATE_HZ = 1_000
"""A sample is a millisecond, a frame 40 bytes."""


def voice(duration_ms: int, level: int = 8_000) -> bytes:
    return array("h", [level if at % 2 else -level for at in range(duration_ms)]).tobytes()


def pause(duration_ms: int) -> bytes:
    return bytes(2 * duration_ms)


def cut(rules: Chunking, *pieces: bytes) -> tuple[list[Chunk], Cutter]:
    cutter = Cutter(rules, RATE_HZ)
    return [chunk for piece in pieces for chunk in cutter.feed(piece)], cutter


def spans_ms(chunks: list[Chunk]) -> list[tuple[int, int]]:
    return [(chunk.start * FRAME_MS, chunk.start * FRAME_MS + len(chunk.pcm) // 2) for chunk in chunks]


def test_a_chunk_of_its_size_ends_in_the_middle_of_the_next_pause() -> None:
    chunks, cutter = cut(Chunking(size=2_000, overlap=0), voice(1_200), pause(400), voice(600))

    assert [(0, 1_360)] == spans_ms(chunks)
    assert [0] == [chunk.overlap_ms for chunk in chunks]
    assert cutter.open is not None
    assert 1_360 == cutter.open.start * FRAME_MS


def test_a_pause_before_its_size_ends_no_chunk() -> None:
    chunks, _ = cut(Chunking(size=4_000, overlap=0), voice(800), pause(400), voice(400))

    assert [] == chunks


def test_without_a_pause_nothing_shorter_than_5_s_is_cut_and_the_overlap_is_a_second() -> None:
    chunks, cutter = cut(Chunking(), voice(3_000), voice(200, 1_000), voice(6_000))

    assert 3_000 <= spans_ms(chunks)[0][1] <= 3_200  # where it is softest
    assert cutter.open is not None
    assert 1_000 <= cutter.open.overlap_ms <= 1_500 + 2 * FRAME_MS


def test_a_chunk_is_never_longer_than_its_size() -> None:
    chunks, _ = cut(Chunking(size=20_000, overlap=3_000), *[voice(30_000)])

    assert len(chunks) >= 3
    assert max(len(chunk.pcm) for chunk in chunks) <= 20_000


def test_where_nobody_speaks_there_is_no_chunk_and_little_is_held() -> None:
    chunks, cutter = cut(Chunking(), *[pause(1_000)] * 20)

    assert [] == chunks
    assert None is cutter.open
    assert cutter.held_bytes <= 2 * 1_000


def test_the_end_of_speech_is_told_without_the_silence_after_it() -> None:
    _, cutter = cut(Chunking(), voice(1_000), pause(200))

    assert cutter.open is not None
    assert 1_000 == cutter.open.speech_end * FRAME_MS


def test_half_a_sample_stays_for_its_other_half() -> None:
    _, cutter = cut(Chunking(), voice(1_000) + b"\1")

    assert cutter.open is not None
    assert 2_000 == len(cutter.open.pcm)


@pytest.mark.parametrize("step", [1, 39, 4_000])
def test_audio_may_come_in_pieces_of_any_length(step: int) -> None:
    audio = voice(1_200) + pause(400) + voice(7_000)
    whole, _ = cut(Chunking(), audio)
    pieces, _ = cut(Chunking(), *(audio[at : at + step] for at in range(0, len(audio), step)))

    assert whole == pieces


sizes = st.integers(1, 20_000).map(lambda half: 2 * half)


@settings(deadline=None, max_examples=60)
@given(sizes, st.floats(0, 0.99), st.randoms(use_true_random=False))
def test_all_that_is_loud_is_in_a_chunk_and_memory_is_bounded(size: int, share: float, random: Random) -> None:
    rules = Chunking(size=size, overlap=int(size * share) // 2 * 2)
    cutter = Cutter(rules, RATE_HZ)
    chunks: list[Chunk] = []
    loud: list[int] = []
    at_ms = most_bytes = 0
    while at_ms < 60_000:
        spoken_ms, silent_ms = random.randrange(100, 9_000, 20), random.choice([40, 100, 300, 700, 3_000])
        loud += range(at_ms // FRAME_MS, (at_ms + spoken_ms) // FRAME_MS)
        for piece in (voice(spoken_ms, random.randrange(2_000, 9_000)), pause(silent_ms)):
            chunks += cutter.feed(piece)
            most_bytes = max(most_bytes, cutter.held_bytes)
        at_ms += spoken_ms + silent_ms
    covered = {frame for chunk in [*chunks, cutter.open] if chunk for frame in _frames(chunk)}

    assert set() == set(loud) - covered
    assert most_bytes <= max(size, 2 * 5_000)
    for before, after in pairwise(chunks):
        assert before.start * FRAME_MS + len(before.pcm) // 2 - after.overlap_ms <= after.start * FRAME_MS


def _frames(chunk: Chunk) -> range:
    return range(chunk.start, chunk.start + len(chunk.pcm) // 2 // FRAME_MS)
