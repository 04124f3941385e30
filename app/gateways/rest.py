"""Requests to a vendor's REST interface: tried again where that helps and does no harm, bounded in time, and what goes
wrong told in the vendor's own words.

On httpx2, which is here anyway: the vendors' SDKs bring a client each (requests, aiohttp), and most of them block.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2

from app.gateways.control import GatewayError, Operation
from providers.http_stream import new_client, seconds_from_now

__all__ = ("Reply", "Request", "Rest", "in_path")

OPERATION_S = 10.0
"""For one operation, all tries and waits together."""
CONNECT_S = 3.0
READ_S = 5.0
PAUSES_S = (0.25, 0.75, 2.0)
"""Before each further try, unless the vendor names a time."""
MAX_SAID_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Reply:
    """``body``: what stood in the answer as JSON, else None."""

    status: int
    body: Any

    @property
    def said(self) -> str:
        """The vendor's own words for what went wrong, as far as there are any."""
        body = self.body
        if isinstance(body, dict):
            errors = body.get("errors") or body.get("RestException")
            body = errors if isinstance(errors, dict | list) else body
        first = body[0] if isinstance(body, list) and body else body
        if not isinstance(first, dict):
            return ""
        names = ("code", "title", "error_title", "detail", "message", "Message", "error", "msg", "description")
        words = [str(first[name]) for name in names if isinstance(first.get(name), str | int)]
        return ": ".join(dict.fromkeys(words))[:MAX_SAID_CHARACTERS]


@dataclass(frozen=True, slots=True)
class Request:
    """``repeatable``: doing it twice is the same as doing it once. What is not is tried again only when it cannot have
    been done: without a connection, or refused for its rate."""

    method: str
    path: str
    json: object = None
    form: Mapping[str, str] | None = None
    repeatable: bool = True
    expected: Callable[[Reply], bool] = lambda _reply: False


class Rest:
    """Of one gateway. ``headers`` makes those of each request, its credential among them."""

    def __init__(self, gateway: str, base_url: str, headers: Callable[[], Mapping[str, str]]) -> None:
        self._gateway = gateway
        self._base_url = base_url.rstrip("/")
        self._headers = headers
        self._client: httpx2.AsyncClient | None = None
        self._opening = asyncio.Lock()

    async def ask(self, operation: Operation, request: Request) -> Reply:
        """A successful answer, or one that was ``expected`` though the vendor calls it an error.

        :raises GatewayError:
        """
        try:
            async with asyncio.timeout(OPERATION_S):
                return await self._tries(operation, request)
        except TimeoutError:
            raise GatewayError(self._gateway, operation, f"no success within {OPERATION_S:g} s") from None

    async def ask_for(self, name: str, operation: Operation, request: Request) -> str:
        """The text that stands under ``name`` in a successful answer; dots lead into it.

        :raises GatewayError: also where there is none.
        """
        reply = await self.ask(operation, request)
        found: Any = reply.body
        for part in name.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        if not isinstance(found, str) or not found:
            raise GatewayError(self._gateway, operation, f"its answer has no {name}", status=reply.status)
        return found

    async def _tries(self, operation: Operation, request: Request) -> Reply:
        deadline_s = asyncio.get_running_loop().time() + OPERATION_S
        pauses_s = iter(PAUSES_S)
        while True:
            wait_s = None
            try:
                client = await self._open()
                url, headers = self._base_url + request.path, dict(self._headers())
                response = await client.request(
                    request.method, url, json=request.json, data=request.form, headers=headers
                )
            except httpx2.HTTPError as error:
                was_sent = not isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
                failure = GatewayError(self._gateway, operation, _words(error))
                again = request.repeatable or not was_sent
            else:
                reply = Reply(response.status_code, _json(response))
                if response.is_success or request.expected(reply):
                    return reply
                wait_s = seconds_from_now(response.headers.get("retry-after"))
                said = f": {reply.said}" if reply.said else ""
                failure = GatewayError(self._gateway, operation, f"HTTP {reply.status}{said}", status=reply.status)
                again = reply.status == 429 or (request.repeatable and reply.status >= 500)
            pause_s = next(pauses_s, None)
            if pause_s is None or not again:
                raise failure
            pause_s = pause_s if wait_s is None else wait_s
            if asyncio.get_running_loop().time() + pause_s >= deadline_s:
                raise failure
            await asyncio.sleep(pause_s)

    async def _open(self) -> httpx2.AsyncClient:
        async with self._opening:
            if self._client is None:
                waits = httpx2.Timeout(READ_S, connect=CONNECT_S)
                self._client = await new_client(self._base_url, waits)
            return self._client

    async def aclose(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


def _words(error: httpx2.HTTPError) -> str:
    match error:
        case httpx2.ConnectTimeout():
            return f"no connection within {CONNECT_S:g} s"
        case httpx2.TimeoutException():
            return f"no answer within {READ_S:g} s"
        case _:
            return str(error) or type(error).__name__


def _json(response: httpx2.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def in_path(name: str) -> str:
    """What came from outside, as one part of a path."""
    return quote(name, safe=":")
