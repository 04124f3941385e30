"""What every agent does, whoever made it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from providers.agent.demo import Demo
from providers.agent.echo import Echo
from providers.api import Agent, AgentAction, AgentEvent, AgentOutput, AgentRequest, AgentText
from providers.fakes import FakeAgent
from tests.providers.agent.openai_server import model_of, words
from tests.providers.agent.openai_server import streaming as chunks
from tests.providers.agent.webhook_agent import agent_of, streaming


@asynccontextmanager
async def alone(agent: Agent) -> AsyncIterator[Agent]:
    yield agent
    await agent.aclose()


@asynccontextmanager
async def webhook() -> AsyncIterator[Agent]:
    async with agent_of(streaming('{"delta": "Hello "}', '{"delta": "there."}')) as (agent, _):
        yield agent


@asynccontextmanager
async def openai() -> AsyncIterator[Agent]:
    async with model_of(chunks(*words("Hello ", "there."))) as (agent, _):
        yield agent


FACTORIES: dict[str, Callable[[], AbstractAsyncContextManager[Agent]]] = {
    "fake": lambda: alone(FakeAgent(lambda _: ("Hello ", "there."))),
    "echo": lambda: alone(Echo()),
    "demo": lambda: alone(Demo()),
    "webhook": webhook,
    "openai": openai,
}

TURN = AgentRequest("turn", "s-1", "1", "hello", language="en")


@pytest.fixture(params=FACTORIES)
async def agent(request: pytest.FixtureRequest, nothing_is_left: None) -> AsyncIterator[Agent]:
    async with FACTORIES[request.param]() as agent:
        await agent.warm_up()
        yield agent


async def answer(agent: Agent, request: AgentRequest = TURN) -> list[AgentOutput]:
    return [output async for output in agent.ask(request)]


async def test_it_says_what_it_is(agent: Agent) -> None:
    assert agent.name
    assert isinstance(agent, Agent)


async def test_a_turn_is_answered_in_text(agent: Agent) -> None:
    pieces = [output.delta for output in await answer(agent) if isinstance(output, AgentText)]

    assert "".join(pieces).strip()


@pytest.mark.parametrize("type_", ["turn", "session.started", "dtmf"])
async def test_what_is_asked_is_answered_by_text_and_actions_only(agent: Agent, type_: AgentEvent) -> None:
    request = AgentRequest(type_, "s-1", "1", digits="5" if type_ == "dtmf" else None)

    assert all(isinstance(output, AgentText | AgentAction) for output in await answer(agent, request))


@pytest.mark.parametrize("type_", ["session.ended", "turn.interrupted", "turn.committed"])
async def test_it_may_be_told_things(agent: Agent, type_: AgentEvent) -> None:
    told = await agent.notify(AgentRequest(type_, "s-1", "1", heard_text="Hello")) is None  # type: ignore[func-returns-value]  # that it returns is what is checked

    assert told


async def test_closing_the_answer_in_the_middle_abandons_it(agent: Agent) -> None:
    asked = agent.ask(TURN)
    await anext(asked)
    await asked.aclose()
    await asked.aclose()

    assert await answer(agent)


async def test_a_caller_who_is_cancelled_leaves_nothing_behind(agent: Agent) -> None:
    asking = asyncio.create_task(answer(agent))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])

    assert await answer(agent)


async def test_sessions_may_ask_at_once(agent: Agent) -> None:
    answers = await asyncio.gather(*(answer(agent) for _ in range(5)))

    assert all(answers)


async def test_it_may_be_closed_twice(agent: Agent) -> None:
    await agent.aclose()
    closed_again = await agent.aclose() is None  # type: ignore[func-returns-value]  # that it returns is what is checked

    assert closed_again
