"""A POST whose answer is read as it comes: one pool of connections to one address, limits of time and of size, and
what goes wrong as ``providers.errors``."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpcore2  # noqa: F401 - httpx2 does it with its first client, and so on the loop
import httpx2

from providers.errors import Malformed, ProviderError, Rejected, TimedOut, Unreachable

__all__ = ("TRACEPARENT", "Answer", "HttpStream", "Limits", "new_client", "seconds_from_now")

TRACEPARENT: ContextVar[str | None] = ContextVar("TRACEPARENT", default=None)
"""The W3C trace context of the running turn: whoever traces sets it in the session's task, the request carries it."""

KEEP_ALIVE_S = 30.0
DRAIN_S = 0.05
"""A connection is used again only when its answer was read to the end, so the end is awaited for this long."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``first_s``: from the request to ``Answer.began()``; ``gap_s``: between two pieces after that."""

    first_s: float
    connect_s: float
    gap_s: float
    max_bytes: int


async def new_client(url: httpx2.URL | str, waits: httpx2.Timeout) -> httpx2.AsyncClient:
    """For requests by the scheme of ``url``. There is no limit of connections: the server admits as many sessions as it
    has room for."""
    # Reading the certificates takes tens of milliseconds, which no other call has to wait for. httpx2's own choice
    # would read them again for every connection.
    is_secure = httpx2.URL(url).scheme == "https"
    verify = await asyncio.to_thread(ssl.create_default_context) if is_secure else False
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=KEEP_ALIVE_S)
    return httpx2.AsyncClient(verify=verify, timeout=waits, limits=limits)


class HttpStream:
    """Redirects are not followed, compression is not asked for. ``provider`` is the name that errors carry."""

    def __init__(self, url: str, limits: Limits, *, provider: str) -> None:
        self._url = httpx2.URL(url)
        self._limits = limits
        self._provider = provider
        self._client: httpx2.AsyncClient | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    async def open(self) -> httpx2.AsyncClient:
        """Read the certificates; the server is not called, for it may start after us.

        :raises Rejected: after ``aclose``.
        """
        async with self._opening:
            if self._closed:
                raise Rejected("closed", provider=self._provider)
            if self._client is None:
                waits = httpx2.Timeout(None, connect=self._limits.connect_s)
                self._client = await new_client(self._url, waits)
            return self._client

    @contextlib.asynccontextmanager
    async def post(self, content: bytes, headers: Mapping[str, str]) -> AsyncIterator[Answer]:
        """The answer, whatever its status. Leaving drops the connection unless the answer was read to its end.

        :raises Unreachable:
        :raises TimedOut: when no answer began within ``first_s``.
        :raises Rejected: after ``aclose``.
        """
        client = await self.open()
        deadline_s = asyncio.get_running_loop().time() + self._limits.first_s
        all_headers = {**headers, "accept-encoding": "identity"}
        if (traceparent := TRACEPARENT.get()) is not None:
            all_headers["traceparent"] = traceparent
        with _translated(self._provider, self._limits):
            outgoing = client.build_request("POST", self._url, content=content, headers=all_headers)
            async with asyncio.timeout_at(deadline_s):
                response = await client.send(outgoing, stream=True)
        try:
            async with contextlib.aclosing(response.aiter_raw()) as chunks:
                yield Answer(response, chunks, self._limits, deadline_s, self._provider)
        finally:
            await response.aclose()
            await asyncio.sleep(0)  # httpx2 leaves its innermost generator to the collector, which closes it meanwhile

    async def aclose(self) -> None:
        self._closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


class Answer:
    """The status and the head are there, the body is still to come."""

    def __init__(
        self,
        response: httpx2.Response,
        chunks: AsyncGenerator[bytes, None],
        limits: Limits,
        deadline_s: float,
        provider: str,
    ) -> None:
        self.status = response.status_code
        self.content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        self.retry_after_s = seconds_from_now(response.headers.get("retry-after"))
        self._encoding = response.headers.get("content-encoding", "identity")
        self._chunks = chunks
        self._limits = limits
        self._first_deadline_s = deadline_s
        self._begun = False
        self._received_bytes = 0
        self._provider = provider

    def began(self) -> None:
        """What the request was made for has begun to come: from now on ``gap_s`` holds, in place of ``first_s``."""
        self._begun = True

    async def text(self) -> AsyncGenerator[str, None]:
        """The body as it comes; no character is torn.

        :raises Malformed: when it is no UTF-8, compressed, or longer than ``max_bytes``.
        :raises TimedOut:
        :raises Unreachable: when the connection breaks before the end.
        """
        if self._encoding != "identity":
            raise Malformed("the answer is compressed, which was not asked for", provider=self._provider)
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while (chunk := await self._read()) is not None:
                if text := decoder.decode(chunk):
                    yield text
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise Malformed(f"the answer is not UTF-8: {error.reason}", provider=self._provider) from error

    async def drain(self) -> None:
        """Let the connection be used again, if the rest of the answer comes at once. Nobody reads it."""
        with contextlib.suppress(TimeoutError, ProviderError):
            async with asyncio.timeout(DRAIN_S):
                while await self._read() is not None:
                    pass

    async def _read(self) -> bytes | None:
        deadline_s = self._first_deadline_s
        if self._begun:
            deadline_s = asyncio.get_running_loop().time() + self._limits.gap_s
        with _translated(self._provider, self._limits):
            async with asyncio.timeout_at(deadline_s):
                chunk = await anext(self._chunks, None)
        if chunk is None:
            return None
        self._received_bytes += len(chunk)
        if self._received_bytes > self._limits.max_bytes:
            raise Malformed(f"the answer is longer than {self._limits.max_bytes} bytes", provider=self._provider)
        return chunk


@contextlib.contextmanager
def _translated(provider: str, limits: Limits) -> Iterator[None]:
    """What httpx2 raises, and the limits of time, as errors of our own tree."""
    try:
        yield
    except TimeoutError as error:
        raise TimedOut("nothing came within the limit", provider=provider) from error
    except httpx2.ConnectTimeout as error:
        raise Unreachable(f"no connection within {limits.connect_s:g} s", provider=provider) from error
    except (httpx2.NetworkError, httpx2.RemoteProtocolError, httpx2.ProxyError) as error:
        raise Unreachable(str(error) or type(error).__name__, provider=provider) from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise Rejected(str(error) or type(error).__name__, provider=provider) from error


def seconds_from_now(retry_after: str | None) -> float | None:
    """``Retry-After`` is seconds or a date (RFC 9110 § 10.2.3); None where it is neither."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after)
    try:
        at = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
