"""A telephone line to a real server: sends recorded speech in real time and notes what comes back, and when."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.caller import PCM_16K
from tests.e2e.speakerphone import Speakerphone

__all__ = ("Line", "on_the_line")

FRAME_MS = 20
FRAME_BYTES = 640


@dataclass(slots=True)
class Line:
    """Times are ms since the server was ready. ``audio``: each frame that came, in order."""

    socket: ClientConnection
    phone: Speakerphone | None = None
    messages: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    audio: list[tuple[int, bytes]] = field(default_factory=list)
    _began_s: float = 0.0
    _to_say: asyncio.Queue[tuple[bytes, asyncio.Future[int]]] = field(default_factory=asyncio.Queue)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def now_ms(self) -> int:
        return round((asyncio.get_running_loop().time() - self._began_s) * 1000)

    async def say(self, pcm: bytes) -> int:
        """Speak it behind what is being spoken; returns when it began, as soon as it has."""
        began: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._to_say.put_nowait((pcm, began))
        return await began

    async def until(self, found: Callable[[Line], bool], limit_s: float = 30.0) -> None:
        async with asyncio.timeout(limit_s), self._changed:
            await self._changed.wait_for(lambda: found(self))

    async def until_message(self, type_: str, limit_s: float = 30.0, **fields: object) -> dict[str, Any]:
        await self.until(lambda line: bool(line.of(type_, **fields)), limit_s)
        return self.of(type_, **fields)[-1]

    async def until_count(self, count: int, type_: str, **fields: object) -> None:
        await self.until(lambda line: len(line.of(type_, **fields)) >= count)

    def of(self, type_: str, **fields: object) -> list[dict[str, Any]]:
        return [
            message for _, message in self.messages if message["type"] == type_ and fields.items() <= message.items()
        ]

    def heard(self, from_ms: int = 0) -> bytes:
        return b"".join(frame for at_ms, frame in self.audio if at_ms >= from_ms)

    async def send(self, type_: str, **fields: object) -> None:
        await self.socket.send(json.dumps({"type": type_, **fields}))

    async def speak(self) -> None:
        """Every 20 ms a frame, of what there is to say or of silence."""
        loop, count, saying = asyncio.get_running_loop(), 0, b""
        while True:
            await asyncio.sleep(self._began_s + count * FRAME_MS / 1000 - loop.time())
            count += 1
            if not saying and not self._to_say.empty():
                saying, began = self._to_say.get_nowait()
                began.set_result(self.now_ms)
            frame = saying[:FRAME_BYTES].ljust(FRAME_BYTES, b"\0")
            await self.socket.send(frame if self.phone is None else self.phone.mixed(frame))
            saying = saying[FRAME_BYTES:]

    async def listen(self) -> None:
        async for data in self.socket:
            async with self._changed:
                if isinstance(data, bytes):
                    self.audio.append((self.now_ms, data))
                    if self.phone is not None:
                        self.phone.plays(data)
                else:
                    self.messages.append((self.now_ms, json.loads(data)))
                    if self.phone is not None and self.messages[-1][1]["type"] == "clear":
                        self.phone.clear()
                self._changed.notify_all()

    async def begin(self) -> None:
        await self.send("start", audio=PCM_16K)
        self.messages.append((0, json.loads(await self.socket.recv())))
        self._began_s = asyncio.get_running_loop().time()


@asynccontextmanager
async def on_the_line(url: str, phone: Speakerphone | None = None) -> AsyncIterator[Line]:
    async with connect(url, compression=None, max_size=None) as socket:
        line = Line(socket, phone)
        await line.begin()
        tasks = [asyncio.create_task(line.speak()), asyncio.create_task(line.listen())]
        try:
            yield line
        finally:
            for task in tasks:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks, return_exceptions=True)
