"""Messages over a real data channel between two peers on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection

from app.transports.webrtc.channel import MessageChannel


class Pair:
    """`channel` is the server's end; `told` is what the client got."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.told: list[str] = []
        self.stalls = 0
        self.channel = MessageChannel(self.asked.append, self._stalled)
        self.opened = asyncio.Event()
        self.client: RTCDataChannel | None = None
        self._came = asyncio.Event()

    def _stalled(self) -> None:
        self.stalls += 1

    def take(self, text: str) -> None:
        self.told.append(text)
        self._came.set()

    def open(self, channel: RTCDataChannel) -> None:
        self.channel.attach(channel)
        self.opened.set()

    async def until(self, count: int) -> list[str]:
        async with asyncio.timeout(5):
            while len(self.told) < count:
                self._came.clear()
                await self._came.wait()
        return self.told


@asynccontextmanager
async def pair(label: str = "events") -> AsyncIterator[Pair]:
    joined = Pair()
    ours, theirs = (RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2))
    ours.on("datachannel", joined.open)
    joined.client = theirs.createDataChannel(label)
    joined.client.on("message", joined.take)
    await theirs.setLocalDescription(await theirs.createOffer())
    await ours.setRemoteDescription(theirs.localDescription)
    await ours.setLocalDescription(await ours.createAnswer())
    await theirs.setRemoteDescription(ours.localDescription)
    async with asyncio.timeout(10):
        await joined.opened.wait()
    try:
        yield joined
    finally:
        await asyncio.gather(ours.close(), theirs.close())


async def test_what_was_sent_before_the_channel_was_there_comes_in_order() -> None:
    early = MessageChannel(lambda _: None, lambda: None)
    for number in range(3):
        early.send(str(number))
    async with pair() as joined:
        joined.channel.send("first")
        joined.channel.send("second")

        assert ["first", "second"] == await joined.until(2)


async def test_the_first_message_is_the_first_of_a_channel_however_late() -> None:
    async with pair() as joined:
        late = MessageChannel(joined.asked.append, lambda: None)
        late.send("ready")
        for number in range(300):
            late.send(str(number))
        assert joined.channel._channel is not None
        late.attach(joined.channel._channel)
        told = await joined.until(201)

        assert ["ready", "100", "299"] == [told[0], told[1], told[200]]


async def test_a_message_longer_than_the_client_takes_is_refused_with_a_reason() -> None:
    async with pair() as joined:
        joined.channel.send("ready")
        assert joined.channel._channel is not None
        joined.channel._channel.transport._remote_max_message_size = 400
        joined.channel.send("x" * 500)
        told = await joined.until(2)

        assert "transport_error" == json.loads(told[1])["code"]
        assert "400 bytes" in json.loads(told[1])["message"]


async def test_a_client_that_does_not_read_is_noticed() -> None:
    async with pair() as joined:
        for _ in range(30):
            joined.channel.send("x" * 50_000)

        assert joined.stalls > 0


async def test_flushing_waits_until_all_has_arrived() -> None:
    async with pair() as joined:
        for _ in range(20):
            joined.channel.send("x" * 5_000)
        await joined.channel.flush(5.0)

        assert 20 == len(joined.told)


async def test_text_comes_in_and_bytes_are_refused() -> None:
    async with pair() as joined:
        joined.channel.send("ready")
        assert joined.client is not None
        await joined.until(1)
        joined.client.send("hello")
        joined.client.send(b"\x00")
        told = await joined.until(2)

        assert ["hello"] == joined.asked
        assert "messages are text" in told[1]


async def test_a_channel_of_another_name_is_closed() -> None:
    async with pair("chat") as joined:
        assert joined.channel._channel is None
