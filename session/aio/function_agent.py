"""A plain function as an agent."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable

from providers.api import Agent, AgentOutput, AgentRequest, AgentText

__all__ = ("AgentFunction", "FunctionAgent", "as_agent")

AgentFunction = Callable[[str], Awaitable[str] | AsyncIterable[str] | str]


class FunctionAgent:
    """Calls ``function(transcript)`` for each turn: async, one that yields text, or sync (then in a thread)."""

    name = "function"

    def __init__(self, function: AgentFunction) -> None:
        self._function = function

    async def warm_up(self) -> None:
        """Nothing to load."""

    async def ask(self, request: AgentRequest) -> AsyncGenerator[AgentOutput, None]:
        if request.type != "turn":
            return
        is_async = inspect.iscoroutinefunction(self._function) or inspect.isasyncgenfunction(self._function)
        if is_async:
            answer = self._function(request.transcript)
        else:
            answer = await asyncio.to_thread(self._function, request.transcript)
        if isinstance(answer, AsyncIterable):
            try:
                async for delta in answer:
                    if delta:
                        yield AgentText(str(delta))
            finally:
                if isinstance(answer, AsyncGenerator):
                    await answer.aclose()  # an answer that is abandoned ends now, not when it is collected
            return
        text = await answer if inspect.isawaitable(answer) else answer
        if text:
            yield AgentText(str(text))

    async def notify(self, request: AgentRequest) -> None:
        """A function is only ever asked."""

    async def aclose(self) -> None:
        """Nothing to close."""


def as_agent(agent: Agent | AgentFunction | None) -> Agent | None:
    return agent if agent is None or isinstance(agent, Agent) else FunctionAgent(agent)
