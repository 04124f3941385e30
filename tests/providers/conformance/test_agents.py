"""What every agent keeps to: those that need no server, and those behind HTTP joined to one."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable

import pytest

from providers.agent.demo import Demo
from providers.agent.echo import Echo
from providers.api import Agent, AgentAction, AgentRequest, AgentText, Message
from providers.fakes import FakeAgent
from tests.providers.agent.http_server import Exchange, sse
from tests.providers.agent.openai_server import model_of, words
from tests.providers.agent.webhook_agent import agent_of

EVENTS = (
    AgentRequest("session.started", "s"),
    AgentRequest("turn", "s", "1", "tell me a story", history=(Message("user", "hi"),), metadata={"a": [1, None]}),
    AgentRequest("turn", "s", "2", ""),
    AgentRequest("turn", "s", "3", "Ünïcödé… 你好 🙂", preemptive=True, language="de"),
    AgentRequest("turn", "s", "4", "word " * 10_000, replaces="3"),
    AgentRequest("dtmf", "s", "5", digits="1#"),
)
TOLD = (
    AgentRequest("turn.interrupted", "s", "1", heard_text="It was"),
    AgentRequest("turn.committed", "s", "1", "hello"),
    AgentRequest("session.ended", "s", history=(Message("assistant", "It was", interrupted=True),), reason="client"),
)


async def _repeat(exchange: Exchange) -> None:
    words = exchange.received.json()["transcript"] or "Hello."
    await sse(exchange, json.dumps({"delta": words}), json.dumps({"delta": " Yes."}))


@contextlib.asynccontextmanager
async def webhook() -> AsyncIterator[Agent]:
    async with agent_of(_repeat) as (agent, _):
        yield agent


async def _repeat_in_chunks(exchange: Exchange) -> None:
    await sse(exchange, *words(exchange.received.json()["messages"][-1]["content"], " Yes."))


@contextlib.asynccontextmanager
async def openai() -> AsyncIterator[Agent]:
    async with model_of(_repeat_in_chunks) as (agent, _):
        yield agent


def alone(make: Callable[[], Agent]) -> Callable[[], contextlib.AbstractAsyncContextManager[Agent]]:
    @contextlib.asynccontextmanager
    async def made() -> AsyncIterator[Agent]:
        agent = make()
        yield agent
        await agent.aclose()

    return made


AGENTS = {
    "demo": alone(Demo),
    "echo": alone(Echo),
    "fake": alone(lambda: FakeAgent(lambda request: [request.transcript, "more"])),
    "webhook": webhook,
    "openai": openai,
}


@pytest.fixture(params=AGENTS)
async def agent(request: pytest.FixtureRequest) -> AsyncIterator[Agent]:
    async with AGENTS[request.param]() as made:
        await made.warm_up()
        yield made


def test_a_class_is_an_agent_by_its_shape() -> None:
    assert isinstance(Demo(), Agent)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: f"{event.type} {event.turn_id}")
async def test_it_yields_text_and_actions_and_nothing_else(agent: Agent, event: AgentRequest) -> None:
    outputs = [output async for output in agent.ask(event)]

    assert all(isinstance(output, AgentText | AgentAction) for output in outputs)


@pytest.mark.parametrize("event", TOLD, ids=lambda event: event.type)
async def test_it_can_be_told(agent: Agent, event: AgentRequest) -> None:
    await agent.notify(event)

    assert agent.name


async def test_the_same_question_gets_the_same_answer_from_many_sessions_at_once(agent: Agent) -> None:
    async def ask(session: int) -> str:
        request = AgentRequest("turn", f"s-{session}", "1", "How are you?")
        return "".join([output.delta async for output in agent.ask(request) if isinstance(output, AgentText)])

    answers = await asyncio.gather(*(ask(session) for session in range(20)))

    assert 1 == len(set(answers))
    assert answers[0]


async def test_giving_up_in_the_middle_leaves_no_task_and_the_next_answer_whole(agent: Agent) -> None:
    whole = [output async for output in agent.ask(EVENTS[1])]
    before = asyncio.all_tasks()
    answer = agent.ask(EVENTS[1])
    await anext(answer)
    await answer.aclose()
    await answer.aclose()

    assert set() == {task for task in asyncio.all_tasks() - before if "connected" not in repr(task)}
    assert whole == [output async for output in agent.ask(EVENTS[1])]


async def test_it_may_be_cancelled_at_its_first_await(agent: Agent) -> None:
    async def ask() -> None:
        async for _ in agent.ask(EVENTS[1]):
            await asyncio.sleep(0)

    task = asyncio.create_task(ask())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()


async def test_it_closes_twice(agent: Agent) -> None:
    await agent.aclose()
    await agent.aclose()

    assert agent.name
