"""What every turn detector does, whoever made it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from providers.api import Message, TurnDetector, TurnSoFar
from providers.fakes import FakeTurnDetector
from providers.turn.silence import Silence
from providers.turn.transcript import TranscriptRules

FACTORIES: dict[str, Callable[[], TurnDetector]] = {
    "fake": FakeTurnDetector,
    "silence": Silence,
    "transcript": TranscriptRules,
}


@pytest.fixture(params=FACTORIES)
async def turn(request: pytest.FixtureRequest, nothing_is_left: None) -> AsyncIterator[TurnDetector]:
    provider = FACTORIES[request.param]()
    await provider.warm_up()
    yield provider
    await provider.aclose()


async def test_it_says_what_it_is(turn: TurnDetector) -> None:
    assert turn.name
    assert turn.audio_ms >= 0


@pytest.mark.parametrize(
    "so_far",
    [
        TurnSoFar(""),
        TurnSoFar("I would like to book a table."),
        TurnSoFar("and then,", language="en", pcm=bytes(3_200), history=(Message("assistant", "Go on."),)),
        TurnSoFar("¿Qué hora es? 🙂", language="es"),
        TurnSoFar("word " * 5_000),
    ],
    ids=["nothing", "a sentence", "with everything", "not English", "very long"],
)
async def test_it_judges_any_turn_by_a_probability(turn: TurnDetector, so_far: TurnSoFar) -> None:
    assert 0.0 <= await turn.judge(so_far) <= 1.0


async def test_a_caller_who_is_cancelled_leaves_nothing_behind(turn: TurnDetector) -> None:
    asking = asyncio.create_task(turn.judge(TurnSoFar("hello")))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])

    assert 0.0 <= await turn.judge(TurnSoFar("hello")) <= 1.0


async def test_many_may_ask_at_once(turn: TurnDetector) -> None:
    verdicts = await asyncio.gather(*(turn.judge(TurnSoFar("hello.")) for _ in range(20)))

    assert 1 == len(set(verdicts))


async def test_it_may_be_closed_twice(turn: TurnDetector) -> None:
    await turn.aclose()
    closed_again = await turn.aclose() is None  # type: ignore[func-returns-value]  # that it returns is what is checked

    assert closed_again
