"""A real HTTP server on loopback whose answers are written byte by byte, so that it can misbehave as servers do."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int

    def json(self) -> Any:
        return json.loads(self.body)


Answer = Callable[["Exchange"], Awaitable[None]]


class Exchange:
    """One request, and the connection to answer it on."""

    def __init__(self, received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.received = received
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes | str) -> None:
        self._writer.write(data.encode() if isinstance(data, str) else data)
        await self._writer.drain()

    async def head(self, status: int, content_type: str = "", *, extra: str = "", length: int | None = None) -> None:
        """Without a length the body is chunked."""
        kind = f"content-type: {content_type}\r\n" if content_type else ""
        framing = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
        await self.send(f"HTTP/1.1 {status} Whatever\r\n{kind}{extra}{framing}\r\n\r\n")

    async def chunk(self, data: bytes | str) -> None:
        data = data.encode() if isinstance(data, str) else data
        await self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def end(self) -> None:
        await self.send("0\r\n\r\n")

    async def whole(self, status: int, content_type: str, body: bytes | str, *, extra: str = "") -> None:
        body = body.encode() if isinstance(body, str) else body
        await self.head(status, content_type, extra=extra, length=len(body))
        await self.send(body)

    def reset(self) -> None:
        self._writer.transport.abort()

    async def gone(self) -> None:
        """Return when the client has closed the connection."""
        with contextlib.suppress(ConnectionError):
            await self._reader.read()


class Server:
    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.url = ""
        self.received: list[Received] = []
        self._connections = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._connections += 1
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._serve(reader, writer, self._connections)
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            pairs = (line.split(":", 1) for line in head.split("\r\n")[1:] if line)
            headers = {name.strip().lower(): value.strip() for name, value in pairs}
            body = await reader.readexactly(int(headers["content-length"]))
            method, path, _ = head.split(" ", 2)
            received = Received(method, path, headers, body, connection)
            self.received.append(received)
            await self.answer(Exchange(received, reader, writer))

    async def is_left_by_all(self) -> None:
        """Return when every connection that was made is closed."""
        await asyncio.sleep(0)
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def serving(answer: Answer, port: int = 0) -> AsyncIterator[Server]:
    """A server, on a free port where none is given; ``answer`` is awaited for each request."""
    server = Server(answer)
    listener = await asyncio.start_server(server.connected, "127.0.0.1", port)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/agent"
    try:
        yield server
    finally:
        listener.close()
        await server.stop()
        await listener.wait_closed()


async def sse(exchange: Exchange, *events: str, done: bool = True) -> None:
    """Answer with these events, each the text behind ``data:``."""
    await exchange.head(200, "text/event-stream")
    for event in events:
        await exchange.chunk(f"data: {event}\n\n")
    if done:
        await exchange.chunk("data: [DONE]\n\n")
    await exchange.end()
