"""Whole phone calls to a server with the embedded models: a recorded person, a scripted agent, a simulated gateway."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from app.dial.call import Dialled, open_call, phone_at
from app.dial.phone import Phone, Room
from tests.providers.agent.http_server import Exchange, serving

__all__ = ("CALL_LIMIT_S", "AgentOfCalls", "Conversation", "agent_of_calls", "on_the_phone")

CALL_LIMIT_S = 90.0
"""More than twice what one takes."""


@dataclass(slots=True)
class Conversation:
    """One call. ``asked``: what the agent was asked, or told, in it."""

    phone: Phone
    asked: list[dict[str, Any]]
    told_of_the_end: asyncio.Event

    def of(self, type_: str) -> list[dict[str, Any]]:
        return [request for request in self.asked if request["type"] == type_]

    async def until(self, found: Callable[[Conversation], bool]) -> None:
        await self.phone.until(lambda _: found(self))

    async def until_over(self) -> None:
        """Until the call has ended and the agent has heard of it."""
        await self.phone.until(lambda phone: phone.over)
        await self.told_of_the_end.wait()

    async def until_quiet(self) -> None:
        """Until the agent has said something more, and then nothing for a while."""
        began_ms = self.phone.now_ms
        await self.phone.until(
            lambda phone: phone.heard_ms is not None and began_ms < phone.heard_ms < phone.now_ms - 900
        )


class AgentOfCalls:
    """Answers each type of request with the next of its answers, in each call; the last of them again and again."""

    def __init__(self, answers: dict[str, list[object]]) -> None:
        self.url = ""
        self.calls: dict[str, list[dict[str, Any]]] = {}
        self.ends: dict[str, asyncio.Event] = {}
        self._answers = answers

    async def answer(self, exchange: Exchange) -> None:
        request = exchange.received.json()
        asked = self.calls.setdefault(request["metadata"]["call_id"], [])
        asked.append(request)
        if request["type"] == "session.ended":
            self.ends[request["metadata"]["call_id"]].set()
        answers = self._answers.get(request["type"])
        if not answers:
            await exchange.whole(204, "", "")
            return
        number = sum(before["type"] == request["type"] for before in asked)
        await exchange.whole(200, "application/json", json.dumps(answers[min(number, len(answers)) - 1]))


@asynccontextmanager
async def agent_of_calls(answers: dict[str, list[object]]) -> AsyncIterator[AgentOfCalls]:
    agent = AgentOfCalls(answers)
    async with serving(agent.answer) as server:
        agent.url = server.url
        yield agent


@asynccontextmanager
async def on_the_phone(
    base_url: str, gateway: str, agent: AgentOfCalls, *, delay_ms: int = 200, room: Room | None = None
) -> AsyncIterator[Conversation]:
    """The call ends with the block, if it has not before."""
    url = f"{base_url.replace('http', 'ws', 1)}/v1/telephony/{gateway}"
    dialled = Dialled(gateway, url, delay_ms=delay_ms)
    phone = phone_at(dialled, room=room)
    call_id = phone.call.call_id
    agent.ends[call_id] = asyncio.Event()
    conversation = Conversation(phone, agent.calls.setdefault(call_id, []), agent.ends[call_id])
    calling = asyncio.create_task(phone.run(await open_call(dialled, phone)))
    try:
        async with asyncio.timeout(CALL_LIMIT_S):
            yield conversation
            if not phone.over:
                await phone.hang_up()
            await calling
    finally:
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
