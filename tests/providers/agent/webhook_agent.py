"""A webhook agent that is joined to a real server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from providers.agent.webhook import Webhook
from providers.api import AgentOutput, AgentRequest, Message
from tests.providers.agent.http_server import Answer, Exchange, Server, serving, sse

TURN = AgentRequest(
    "turn",
    "s-1",
    "7",
    "what time is it",
    language="en",
    history=(Message("user", "hello"), Message("assistant", "Hello, how", interrupted=True)),
    metadata={"caller": "alice"},
)


@contextlib.asynccontextmanager
async def agent_of(answer: Answer, **options: object) -> AsyncIterator[tuple[Webhook, Server]]:
    async with serving(answer) as server:
        agent = Webhook(Webhook.Options.model_validate({"url": server.url, **options}))
        try:
            yield agent, server
        finally:
            await agent.aclose()


async def asked(agent: Webhook, request: AgentRequest = TURN) -> list[AgentOutput]:
    return [output async for output in agent.ask(request)]


def answering(status: int, content_type: str = "", body: bytes | str = "", *, extra: str = "") -> Answer:
    async def answer(exchange: Exchange) -> None:
        await exchange.whole(status, content_type, body, extra=extra)

    return answer


def streaming(*events: str, done: bool = True) -> Answer:
    async def answer(exchange: Exchange) -> None:
        await sse(exchange, *events, done=done)

    return answer
