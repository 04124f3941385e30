"""A caller for tests: speaks the protocol of the audio WebSocket and keeps what it is told."""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

__all__ = ("PCM_16K", "Caller", "calling", "silence", "voice")

PCM_16K = {"encoding": "pcm_s16le", "sample_rate": 16000}


def silence(duration_ms: int, rate_hz: int = 16000) -> bytes:
    return bytes(2 * (rate_hz * duration_ms // 1000))


def voice(duration_ms: int, rate_hz: int = 16000) -> bytes:
    """A loud hum, which an energy detector takes for speech."""
    count = rate_hz * duration_ms // 1000
    return array("h", [int(12000 * math.sin(2 * math.pi * 180 * n / rate_hz)) for n in range(count)]).tobytes()


class Caller:
    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.messages: list[dict[str, Any]] = []
        self.audio = bytearray()

    async def send(self, type_: str, **fields: object) -> None:
        await self.socket.send(json.dumps({"type": type_, **fields}))

    async def start(self, **fields: object) -> dict[str, Any]:
        await self.send("start", **{"audio": PCM_16K, **fields})
        return await self.until("ready")

    async def until(self, type_: str, **fields: object) -> dict[str, Any]:
        """The next message of this type with these fields; what comes before is kept."""
        while True:
            data = await self.socket.recv()
            if isinstance(data, bytes):
                self.audio += data
                continue
            message: dict[str, Any] = json.loads(data)
            self.messages.append(message)
            if message["type"] == type_ and fields.items() <= message.items():
                return message

    async def until_audio(self) -> bytes:
        while True:
            data = await self.socket.recv()
            if isinstance(data, bytes):
                return data
            self.messages.append(json.loads(data))

    async def until_closed(self) -> int:
        """The close code."""
        with pytest.raises(ConnectionClosed) as closed:
            await self.until("there is no such type")
        assert closed.value.rcvd is not None, "closed without a word"
        return closed.value.rcvd.code

    async def converse(self, text: str = "hello there") -> dict[str, Any]:
        """One typed turn; the reply when it is done."""
        await self.send("text", text=text)
        return await self.until("reply", event="done")


@asynccontextmanager
async def calling(url: str, **options: Any) -> AsyncIterator[Caller]:
    async with connect(url, compression=None, max_size=None, **options) as socket:
        yield Caller(socket)
