"""What every turn detector keeps to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from providers.api import Message, TurnDetector, TurnSoFar
from providers.fakes import FakeTurnDetector
from providers.turn.silence import Silence
from providers.turn.transcript import TranscriptRules

DETECTORS: tuple[Callable[[], TurnDetector], ...] = (Silence, TranscriptRules, FakeTurnDetector)


@pytest.fixture(params=DETECTORS, ids=lambda make: make.__name__)
def detector(request: pytest.FixtureRequest) -> TurnDetector:
    made: TurnDetector = request.param()
    return made


def test_it_declares_what_it_is(detector: TurnDetector) -> None:
    assert detector.name
    assert detector.audio_ms >= 0


@pytest.mark.parametrize(
    "turn",
    [
        TurnSoFar(""),
        TurnSoFar("   "),
        TurnSoFar("?"),
        TurnSoFar("What time is it?"),
        TurnSoFar("Ünïcödé… 你好。 🙂"),
        TurnSoFar("word " * 20_000),
        TurnSoFar("1 " * 20_000),
        TurnSoFar("hello", language="de"),
        TurnSoFar("yes", pcm=bytes(16_000), history=(Message("assistant", "Shall I?"),)),
    ],
    ids=lambda turn: repr(turn.text[:20]),
)
async def test_a_verdict_is_a_probability(detector: TurnDetector, turn: TurnSoFar) -> None:
    await detector.warm_up()

    assert 0 <= await detector.judge(turn) <= 1


async def test_it_judges_for_many_sessions_at_once(detector: TurnDetector) -> None:
    verdicts = await asyncio.gather(*(detector.judge(TurnSoFar("What time is it?")) for _ in range(100)))

    assert 1 == len(set(verdicts))


async def test_it_leaves_nothing_behind_and_closes_twice(detector: TurnDetector) -> None:
    before = asyncio.all_tasks()
    await detector.judge(TurnSoFar("Hello."))
    await detector.aclose()
    await detector.aclose()

    assert before == asyncio.all_tasks()
