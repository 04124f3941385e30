from __future__ import annotations

import pytest

from providers.agent.echo import Echo
from providers.api import AgentOutput, AgentRequest, AgentText


async def asked(request: AgentRequest) -> list[AgentOutput]:
    return [output async for output in Echo().ask(request)]


async def test_a_turn_is_said_back() -> None:
    assert [AgentText("What time is it?")] == await asked(AgentRequest("turn", "s", "1", "What time is it?"))


async def test_digits_are_said_one_by_one() -> None:
    assert [AgentText("4 2")] == await asked(AgentRequest("dtmf", "s", "1", digits="42"))


@pytest.mark.parametrize(
    "request_", [AgentRequest("session.started", "s"), AgentRequest("turn", "s", "1", ""), AgentRequest("dtmf", "s")]
)
async def test_nothing_is_said_to_nothing(request_: AgentRequest) -> None:
    assert [] == await asked(request_)
