"""A POST whose answer is read as it comes, against a real server. How agents use it: ``tests/providers/agent/``."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from providers.errors import Malformed, Rejected, TimedOut, Unreachable
from providers.http_stream import TRACEPARENT, HttpStream, Limits
from tests.providers.agent.http_server import Answer, Exchange, Server, serving

LIMITS = Limits(first_s=0.2, connect_s=1, gap_s=5, max_bytes=1000)


@contextlib.asynccontextmanager
async def joined(answer: Answer, limits: Limits = LIMITS) -> AsyncIterator[tuple[HttpStream, Server]]:
    async with serving(answer) as server:
        http = HttpStream(server.url, limits, provider="p")
        try:
            yield http, server
        finally:
            await http.aclose()


async def read(http: HttpStream) -> list[str]:
    async with http.post(b"{}", {"x": "y"}) as answer:
        return [text async for text in answer.text()]


def whole(body: bytes | str, *, status: int = 200, extra: str = "") -> Answer:
    async def answer(exchange: Exchange) -> None:
        await exchange.whole(status, "text/plain; charset=utf-8", body, extra=extra)

    return answer


async def test_an_answer_has_a_status_a_type_and_text() -> None:
    async with joined(whole("Süß", status=418)) as (http, server), http.post(b"{}", {"x": "y"}) as answer:
        texts = [text async for text in answer.text()]

    assert (418, "text/plain", ["Süß"]) == (answer.status, answer.content_type, texts)
    assert (b"{}", "y", "identity") == (
        server.received[0].body,
        server.received[0].headers["x"],
        server.received[0].headers["accept-encoding"],
    )


async def test_the_trace_context_of_the_task_goes_along() -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with joined(whole("")) as (http, server):
        await read(http)
        TRACEPARENT.set(trace)
        await read(http)

    assert [None, trace] == [received.headers.get("traceparent") for received in server.received]


@pytest.mark.parametrize(
    ("value", "expected"),
    [("7", 7), ("soon", None), ("", None), (format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True), 0)],
)
async def test_when_to_come_back_is_seconds_or_a_date(value: str, expected: float | None) -> None:
    async with joined(whole("", extra=f"retry-after: {value}\r\n")) as (http, _), http.post(b"", {}) as answer:
        assert expected == answer.retry_after_s


async def test_the_first_limit_holds_until_it_has_begun() -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.head(200, "text/plain")
        await exchange.chunk("a")
        await exchange.gone()

    async with joined(answer) as (http, _):
        with pytest.raises(TimedOut, match="p: nothing came within the limit"):
            await read(http)


async def test_once_it_has_begun_the_gap_counts() -> None:
    late = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        await exchange.head(200, "text/plain")
        await exchange.chunk("a")
        await late.wait()
        await exchange.chunk("b")
        await exchange.end()

    async with (
        joined(answer) as (http, _),
        http.post(b"", {}) as answered,
        contextlib.aclosing(answered.text()) as texts,
    ):
        assert "a" == await anext(texts)
        answered.began()
        asyncio.get_running_loop().call_later(LIMITS.first_s, late.set)
        assert "b" == await anext(texts)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (whole(b"\xff"), "not UTF-8"),
        (whole("ü".encode()[:1]), "not UTF-8"),
        (whole("a" * 1001), "longer than 1000 bytes"),
        (whole("a", extra="content-encoding: gzip\r\n"), "compressed"),
    ],
    ids=["no UTF-8", "half a character", "long", "compressed"],
)
async def test_a_body_that_cannot_be_read_is_malformed(answer: Answer, message: str) -> None:
    async with joined(answer) as (http, _):
        with pytest.raises(Malformed, match=message):
            await read(http)


async def test_an_answer_that_was_drained_leaves_the_connection_to_the_next() -> None:
    async with joined(whole("unread")) as (http, server):
        for _ in range(2):
            async with http.post(b"", {}) as answer:
                await answer.drain()
        async with http.post(b"", {}):
            pass
        await read(http)

    assert [1, 1, 1, 2] == [received.connection for received in server.received]


async def test_a_request_that_is_given_up_leaves_no_connection_open_whenever_that_is() -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.head(200, "text/plain", length=2)
        await exchange.gone()

    async with joined(answer) as (http, server):
        await http.open()
        for steps in range(40):
            asking = asyncio.create_task(read(http))
            for _ in range(steps):
                await asyncio.sleep(0)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            async with asyncio.timeout(1):
                await server.is_left_by_all()

    assert server.received, "in the last steps it was under way"


async def test_a_body_that_breaks_off_is_unreachable() -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.head(200, "text/plain", length=10)
        await exchange.send("a")
        exchange.reset()

    async with joined(answer) as (http, _):
        with pytest.raises(Unreachable):
            await read(http)


async def test_it_is_closed_for_good() -> None:
    async with joined(whole("a")) as (http, _):
        await http.aclose()
        with pytest.raises(Rejected, match="p: closed"):
            await http.open()
