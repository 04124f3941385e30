"""Phone calls to a server in the test's own event loop: the phone, and what the session tells meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from app.calls import Call
from app.dial.call import Dialled, open_call, phone_at
from app.dial.phone import Phone, Room
from session.notices import Notice
from tests.providers.agent.http_server import Exchange, serving
from tests.server import RunningServer, running

__all__ = ("LIMIT_S", "Phoned", "answering_by_type", "phoning")

LIMIT_S = 20.0
"""Nothing here takes a fifth of it, unless the machine is very busy or the code is broken."""

N = TypeVar("N")


@dataclass(slots=True)
class Phoned:
    phone: Phone
    call: Call
    calling: asyncio.Task[None]
    notices: list[Notice] = field(default_factory=list)
    _told: asyncio.Event = field(default_factory=asyncio.Event)

    def of(self, kind: type[N]) -> list[N]:
        return [notice for notice in self.notices if isinstance(notice, kind)]

    async def until(self, kind: type[N], count: int = 1) -> N:
        """The last of so many."""
        async with asyncio.timeout(LIMIT_S):
            while len(self.of(kind)) < count:
                self._told.clear()
                await self._told.wait()
        return self.of(kind)[count - 1]

    async def until_over(self) -> str:
        """How the socket was closed."""
        async with asyncio.timeout(LIMIT_S):
            await asyncio.shield(self.calling)
        return self.phone.of("closed")[-1].detail

    def hear(self, notice: Notice) -> None:
        self.notices.append(notice)
        self._told.set()


@asynccontextmanager
async def phoning(
    server: RunningServer,
    gateway: str = "twilio",
    *,
    path: str | None = None,
    delay_ms: int = 0,
    room: Room | None = None,
    **dialled: Any,
) -> AsyncIterator[Phoned]:
    url = server.base_url.replace("http", "ws", 1) + (path or f"/v1/telephony/{gateway}")
    known = set(server.edge.calls.all())
    phone = phone_at(Dialled(gateway, url, delay_ms=delay_ms, **dialled), room=room)
    socket = await open_call(Dialled(gateway, url, **dialled), phone)
    calling = asyncio.create_task(phone.run(socket))
    try:
        async with asyncio.timeout(LIMIT_S):
            await phone.until(lambda _: any(call.session for call in set(server.edge.calls.all()) - known))
        (call,) = set(server.edge.calls.all()) - known
        phoned = Phoned(phone, call, calling)
        call.listeners.append(phoned.hear)
        yield phoned
    finally:
        if not phone.over:
            await phone.hang_up()
        await calling


@asynccontextmanager
async def answering_by_type(
    answers: Mapping[str, object], **tables: Any
) -> AsyncIterator[tuple[RunningServer, list[Any]]]:
    """A server whose agent gives these JSON answers, by the type of what it is asked; and what it was asked."""
    asked: list[Any] = []

    async def answer(exchange: Exchange) -> None:
        request = exchange.received.json()
        asked.append(request)
        given = answers.get(request["type"])
        if given is None:
            await exchange.whole(204, "", "")
        else:
            await exchange.whole(200, "application/json", json.dumps(given))

    async with (
        serving(answer) as webhook,
        running(agent={"provider": "webhook", "url": webhook.url}, **tables) as server,
    ):
        yield server, asked
