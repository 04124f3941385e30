from __future__ import annotations

import pytest
from pydantic import ValidationError

from providers.api import TurnSoFar
from providers.turn.silence import Silence


async def test_every_turn_gets_the_same_verdict() -> None:
    detector = Silence()

    assert {0.6} == {await detector.judge(TurnSoFar(text)) for text in ("Yes.", "and", "")}


async def test_the_verdict_is_an_option() -> None:
    assert await Silence(Silence.Options(finished=0.9)).judge(TurnSoFar("and")) == 0.9


@pytest.mark.parametrize("finished", [-0.1, 1.1])
def test_a_verdict_is_a_probability(finished: float) -> None:
    with pytest.raises(ValidationError):
        Silence.Options(finished=finished)
