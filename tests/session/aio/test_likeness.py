"""How much of what is heard is what was played."""

from __future__ import annotations

import numpy as np
import pytest

from session.aio.likeness import ALIKE, HEARD_MS, LONGEST_DELAY_MS, likeness
from tests.recordings import ENDGAME, TWO_CITIES

SPAN_MS = HEARD_MS + LONGEST_DELAY_MS
PLAYED = TWO_CITIES.pcm(from_ms=1_300, to_ms=1_300 + SPAN_MS)


def returned(delay_ms: int, below_db: float) -> bytes:
    heard = np.frombuffer(PLAYED, "<i2")[(LONGEST_DELAY_MS - delay_ms) * 16 :][: HEARD_MS * 16]
    return np.rint(heard * 10 ** (-below_db / 20)).astype("<i2").tobytes()


@pytest.mark.parametrize("below_db", [0, 18])
@pytest.mark.parametrize("delay_ms", [0, 60, 200, 400, 600])
def test_an_echo_is_like_what_was_played(delay_ms: int, below_db: float) -> None:
    assert likeness(returned(delay_ms, below_db), PLAYED) > 0.9


def test_somebody_else_is_not() -> None:
    somebody_else = ENDGAME.pcm(from_ms=5_000, to_ms=5_000 + HEARD_MS)

    assert likeness(somebody_else, PLAYED) < ALIKE


@pytest.mark.parametrize("heard", [returned(200, 10), bytes(HEARD_MS * 32)])
def test_nothing_is_like_silence(heard: bytes) -> None:
    assert likeness(heard, bytes(SPAN_MS * 32)) < 0.1
