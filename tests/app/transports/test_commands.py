"""What a client's text messages do, apart from what brought them."""

from __future__ import annotations

import asyncio
import json

import pytest

from app.calls import Call
from app.transports.commands import Commands
from app.transports.farewell import Farewell
from app.transports.jack import Jack
from session import VoiceSession
from session.notices import Notice
from tests.server import RunningServer, running


class Heard:
    """A plug that notes what it is told."""

    rate_hz: int = 16_000

    def __init__(self) -> None:
        self.messages: list[dict[str, object]] = []

    def send_audio(self, frame: bytes) -> None: ...

    def clear(self) -> None: ...

    async def aclose(self) -> None: ...

    def tell(self, notice: Notice) -> None: ...

    def send(self, text: str) -> None:
        self.messages.append(json.loads(text))

    def close(self, code: int, reason: str) -> None: ...


async def talking(server: RunningServer) -> tuple[Commands, Heard, Call, VoiceSession]:
    plug, calls = Heard(), server.edge.calls
    call = calls.prepare(metadata={})
    call.jack = jack = Jack(plug, input_rate_hz=16_000)
    session = await calls.connect(call, "test", jack, input_rate_hz=16_000, listener=jack.tell)
    return Commands(server.edge, call, session, plug), plug, call, session


async def test_a_ping_is_answered() -> None:
    async with running() as server:
        commands, plug, *_ = await talking(server)
        await commands.obey('{"type": "ping"}')

        assert [{"type": "pong"}] == plug.messages


@pytest.mark.parametrize("text", ["nonsense", '{"type": "fly"}', '{"type": "text", "text": ""}'])
async def test_a_mistake_is_told_and_nothing_else_happens(text: str) -> None:
    async with running() as server:
        commands, plug, *_ = await talking(server)
        await commands.obey(text)

        assert [("error", "invalid_input", False)] == [(e["type"], e["code"], e["fatal"]) for e in plug.messages]


async def test_stop_ends_the_call() -> None:
    async with running() as server:
        commands, *_ = await talking(server)
        await commands.obey('{"type": "stop"}')

        assert () == server.edge.calls.all()


async def test_too_many_messages_are_a_farewell() -> None:
    async with running(limits={"messages_per_second": 1}) as server:
        commands, *_ = await talking(server)
        for _ in range(9):
            await commands.obey('{"type": "ping"}')
        with pytest.raises(Farewell, match="too many messages"):
            await asyncio.gather(*(commands.obey('{"type": "ping"}') for _ in range(5)))


async def test_a_message_over_a_mebibyte_is_a_farewell() -> None:
    async with running() as server:
        commands, *_ = await talking(server)
        with pytest.raises(Farewell, match="1 MiB"):
            await commands.obey("x" * (2 << 20))
