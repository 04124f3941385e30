"""A plain function as an agent."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial

import pytest

from providers.api import Agent, AgentOutput, AgentRequest, AgentText
from providers.fakes import FakeAgent
from session.aio.function_agent import AgentFunction, FunctionAgent, as_agent

TURN = AgentRequest("turn", "s", turn_id="1", transcript="hello")


async def answers(function: AgentFunction, request: AgentRequest = TURN) -> list[AgentOutput]:
    return [output async for output in FunctionAgent(function).ask(request)]


async def an_answer(transcript: str) -> str:
    return f"You said {transcript}."


async def several(transcript: str) -> AsyncIterator[str]:
    yield "You said "
    yield transcript


class Answering:
    async def __call__(self, transcript: str) -> str:
        return await an_answer(transcript)


@pytest.mark.parametrize(
    "function",
    [
        an_answer,
        lambda transcript: f"You said {transcript}.",
        lambda transcript: an_answer(transcript),  # noqa: PLW0108 -- that it is a lambda is what is tested
        partial(an_answer),
        Answering(),
    ],
)
async def test_an_answer_is_an_answer_however_it_is_given(function: AgentFunction) -> None:
    assert [AgentText("You said hello.")] == await answers(function)


@pytest.mark.parametrize("function", [several, lambda transcript: several(transcript), partial(several)])  # noqa: PLW0108 -- as above
async def test_one_that_yields_is_handed_on_piece_by_piece(function: AgentFunction) -> None:
    assert [AgentText("You said "), AgentText("hello")] == await answers(function)


async def test_what_is_no_generator_but_iterates_will_do() -> None:
    class Pieces:
        def __init__(self) -> None:
            self.left = ["You ", "said"]

        def __aiter__(self) -> Pieces:
            return self

        async def __anext__(self) -> str:
            if not self.left:
                raise StopAsyncIteration
            return self.left.pop(0)

    assert [AgentText("You "), AgentText("said")] == await answers(lambda _: Pieces())


async def test_pieces_without_text_are_left_out() -> None:
    """The last chunk of a model's stream often has none."""

    async def function(transcript: str) -> AsyncIterator[str]:
        for piece in ("", "Yes.", None):
            yield piece  # type: ignore[misc] # what it should not yield is what is tested

    assert [AgentText("Yes.")] == await answers(function)


async def test_no_answer_is_silence() -> None:
    assert [] == await answers(lambda _: "")


async def test_a_plain_function_may_block_for_it_runs_in_a_thread() -> None:
    threads: list[int] = []

    def function(transcript: str) -> str:
        threads.append(threading.get_ident())
        return "Yes."

    await answers(function)

    assert [threading.get_ident()] != threads


@pytest.mark.parametrize("kind", ["session.started", "dtmf"])
async def test_a_function_is_asked_about_turns_only(kind: str) -> None:
    assert [] == await answers(an_answer, AgentRequest(kind, "s"))  # type: ignore[arg-type] # a str of the literal


async def test_an_answer_that_is_abandoned_is_closed_at_once() -> None:
    closed = asyncio.Event()

    async def function(transcript: str) -> AsyncIterator[str]:
        try:
            yield "Once "
            yield "upon"
        finally:
            closed.set()

    async with aclosing(FunctionAgent(function).ask(TURN)) as outputs:
        await anext(outputs)

        assert not closed.is_set()

    assert closed.is_set()


async def test_what_it_raises_is_raised() -> None:
    def function(transcript: str) -> str:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await answers(function)


async def test_an_agent_stays_what_it_is_and_a_function_becomes_one() -> None:
    agent = FakeAgent()
    wrapped = as_agent(an_answer)

    assert agent is as_agent(agent)
    assert None is as_agent(None)
    assert isinstance(wrapped, FunctionAgent)
    assert isinstance(wrapped, Agent)


async def test_it_has_nothing_to_load_to_hear_or_to_close() -> None:
    agent = FunctionAgent(an_answer)
    await agent.warm_up()
    await agent.notify(AgentRequest("session.ended", "s"))
    await agent.aclose()

    assert "function" == agent.name
