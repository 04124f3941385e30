"""Several agents as one: the first that is well is asked, and where it fails the next is asked the same at once.

An agent that refuses (a 4xx) or answers what cannot be understood (bad JSON) has answered: that is an error of the
turn, as where it is alone. Answers that cannot be understood count against it all the same, so that after a few of them
its breaker sends the turns to the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from providers.api import Agent, AgentOutput, AgentRequest, AgentText
from providers.errors import PermanentError
from session.aio.attempts import PATIENCE_MS, Attempts, Members, Watch, monotonic_ms
from session.breaker import Breaker

__all__ = ("AgentInOrder",)


class AgentInOrder:
    """One that fails, or is late, before any of its answer was given is replaced; after that the failure is raised.

    An agent hears of the sessions in which it was asked something, whatever came of it, and only of those. Of a session
    in which nobody was asked the first hears.
    """

    def __init__(
        self,
        providers: Sequence[Agent],
        *,
        patience_ms: int = PATIENCE_MS,
        clock_ms: Callable[[], int] = monotonic_ms,
    ) -> None:
        self._members = Members[Agent](providers, patience_ms, clock_ms)
        self._asked: dict[str, list[Agent]] = {}  # by session, until it has ended
        self.name = self._members.first.name

    @property
    def breakers(self) -> tuple[tuple[str, Breaker], ...]:
        return self._members.breakers

    async def warm_up(self) -> None:
        await self._members.warm_up()

    async def ask(self, request: AgentRequest, watch: Watch | None = None) -> AsyncGenerator[AgentOutput, None]:
        """:raises ProviderError: the last failure, when all have failed."""
        attempts = self._members.attempts(watch)
        try:
            for agent in attempts:
                self._note(request.session_id, agent)
                given = False
                try:
                    async with aclosing(_answer(agent, request, attempts)) as outputs:
                        async for output in outputs:
                            given = True
                            yield output
                except Exception as error:  # a vendor's code, and a vendor's mistakes
                    attempts.failed(error)
                    if given or isinstance(error, PermanentError):
                        raise
                else:
                    attempts.succeeded()
                    return
            raise attempts.error
        finally:
            attempts.over()

    async def notify(self, request: AgentRequest) -> None:
        """Whether their breakers are open or not: to be told costs little, and what was missed is not told again.

        :raises ProviderError: what the first of those raised who could not be told.
        """
        asked = self._asked.get(request.session_id, [self._members.first])
        if request.type == "session.ended":
            self._asked.pop(request.session_id, None)
        told = await asyncio.gather(*(agent.notify(request) for agent in asked), return_exceptions=True)
        for error in told:
            if error is not None:
                raise error

    async def aclose(self) -> None:
        await self._members.aclose()

    def _note(self, session_id: str, agent: Agent) -> None:
        asked = self._asked.setdefault(session_id, [])
        if agent not in asked:
            asked.append(agent)


async def _answer(agent: Agent, request: AgentRequest, attempts: Attempts[Agent]) -> AsyncGenerator[AgentOutput, None]:
    """The first of it within our patience."""
    async with aclosing(agent.ask(request)) as outputs:
        output = await attempts.in_time(_next(outputs))
        while output is not None:
            yield output
            output = await _next(outputs)


async def _next(outputs: AsyncGenerator[AgentOutput, None]) -> AgentOutput | None:
    """Empty text is none: some agents begin with it, long before their first word."""
    async for output in outputs:
        if not isinstance(output, AgentText) or output.delta:
            return output
    return None
