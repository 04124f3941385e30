"""The phone against a server's socket of the test's own: what it says, and what it does when it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from app.dial.phone import Happened, Phone
from app.wire.phone.api import (
    Audio,
    Clear,
    Command,
    Continue,
    Digit,
    Event,
    HangUp,
    HungUp,
    Mark,
    MarkReached,
    Pause,
    PhoneCall,
    Speak,
    Started,
)
from app.wire.phone.catalogue import CODECS
from app.wire.phone.far.catalogue import GATEWAYS
from tests.caller import voice

pytestmark = pytest.mark.timeout(30)

E = TypeVar("E")


class Server:
    """Speaks by the server's codec, and keeps what the gateway says."""

    def __init__(self, gateway: str) -> None:
        self.codec = CODECS[gateway]()
        self.events: list[Event] = []
        self.changed = asyncio.Event()
        self.socket: ServerConnection | None = None

    async def connected(self, socket: ServerConnection) -> None:
        self.socket = socket
        async for message in socket:
            self.events.extend(self.codec.decode(message))
            self.changed.set()

    async def say(self, *commands: Command) -> None:
        await self.until(lambda: bool(self.of(Started)))
        for command in commands:
            for message in self.codec.encode(command):
                assert self.socket is not None
                await self.socket.send(message)

    async def until(self, found: Callable[[], bool]) -> None:
        while not found():
            self.changed.clear()
            await self.changed.wait()

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]


@asynccontextmanager
async def joined(gateway: str = "twilio", delay_ms: int = 0) -> AsyncIterator[tuple[Phone, Server]]:
    server = Server(gateway)
    far = GATEWAYS[gateway]()
    form = far.formats[0]
    told: list[Happened] = []
    phone = Phone(far, PhoneCall(gateway, "c", form, form, "s"), delay_ms=delay_ms, tell=told.append)
    async with serve(server.connected, "127.0.0.1", 0, compression=None) as listening:
        port = listening.sockets[0].getsockname()[1]
        calling = asyncio.create_task(phone.run(await connect(f"ws://127.0.0.1:{port}", compression=None)))
        yield phone, server
        if not phone.over:
            await phone.hang_up()
        await calling

    assert phone.happened == told


async def test_it_speaks_all_the_time_and_what_it_is_given_to_say() -> None:
    async with joined() as (phone, server):
        phone.say(voice(40, 8_000))
        await server.until(lambda: len(server.of(Audio)) >= 5)
        loud = [event for event in server.of(Audio) if any(sample > 1 for sample in event.pcm[1::2])]

    assert 2 == len(loud)


async def test_it_hears_and_tells_of_marks() -> None:
    async with joined() as (phone, server):
        await server.say(Speak(voice(60, 8_000)), Mark("one"))
        await server.until(lambda: bool(server.of(MarkReached)))

    assert [MarkReached("one")] == server.of(MarkReached)
    assert any(phone.heard)
    assert phone.heard_ms is not None


async def test_what_is_cleared_is_not_heard() -> None:
    async with joined(delay_ms=5_000) as (phone, server):
        await server.say(Speak(voice(60, 8_000)), Mark("one"), Clear())
        await server.until(lambda: bool(server.of(MarkReached)))

    assert not any(phone.heard)
    assert 60 == phone.dropped_ms
    assert ["started", "clear", "closed"] == [each.what for each in phone.happened]


async def test_a_pause_is_obeyed() -> None:
    async with joined("asterisk") as (phone, server):
        await server.say(Pause(), Speak(voice(40, 8_000)), Mark("one"), Continue())
        await server.until(lambda: bool(server.of(MarkReached)))

    assert ["started", "pause", "continue", "mark", "closed"] == [each.what for each in phone.happened]


async def test_it_hangs_up_when_it_is_told_to() -> None:
    async with joined("asterisk") as (phone, server):
        await server.say(HangUp())
        await phone.until(lambda _: False)

    assert 1 == len(phone.of("hang_up"))
    assert phone.was_fine


async def test_keys_and_the_end_are_told() -> None:
    async with joined() as (phone, server):
        await phone.press("5")
        await phone.hang_up()
        await server.until(lambda: bool(server.of(HungUp)))

    assert [Digit("5")] == server.of(Digit)


async def test_it_can_be_made_to_fail() -> None:
    async with joined() as (phone, server):
        phone.returns_marks = False
        await server.say(Speak(voice(20, 8_000)), Mark("one"))
        await phone.until(lambda phone: bool(phone.of("mark")))
        phone.sends = False
        await phone.send_raw("nothing")
        phone.drop()

    assert [] == server.of(MarkReached)
    assert not phone.was_fine
