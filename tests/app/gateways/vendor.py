"""A vendor's REST interface on loopback: a real HTTP server that remembers what it was asked, and answers as told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from starlette.types import Receive, Scope, Send

from app.server import bind

__all__ = ("Answer", "Asked", "Vendor", "vendor")


@dataclass(frozen=True, slots=True)
class Asked:
    """``path`` as it was written, with its escapes."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        assert "application/json" == self.headers["content-type"]
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        assert "application/x-www-form-urlencoded" == self.headers["content-type"]
        return dict(parse_qsl(self.body.decode(), strict_parsing=True))


@dataclass(frozen=True, slots=True)
class Answer:
    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Vendor:
    base_url: str
    asked: list[Asked] = field(default_factory=list)

    @property
    def last(self) -> Asked:
        return self.asked[-1]


@asynccontextmanager
async def vendor(*answers: Answer) -> AsyncIterator[Vendor]:
    """Gives the ``answers`` in turn; asked once more, it says 599."""
    left = list(answers)
    listener = bind("127.0.0.1", 0)
    here = Vendor(f"http://127.0.0.1:{listener.getsockname()[1]}")

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        here.asked.append(Asked(scope["method"], scope["raw_path"].decode(), headers, body))
        said = left.pop(0) if left else Answer(599)
        sent = [(b"content-type", b"application/json")]
        sent += [(name.encode(), value.encode()) for name, value in said.headers.items()]
        await send({"type": "http.response.start", "status": said.status, "headers": sent})
        text = b"" if said.body is None else json.dumps(said.body).encode()
        await send({"type": "http.response.body", "body": text})

    server = uvicorn.Server(uvicorn.Config(answer, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield here
    finally:
        server.should_exit = True
        await serving
