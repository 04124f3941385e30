"""The agent behind HTTP, against a real server that answers badly, slowly, or not at all; and giving up on it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from providers.agent.webhook import Webhook
from providers.api import AgentRequest, AgentText
from providers.errors import Malformed, Overloaded, ProviderError, Rejected, TimedOut, Unreachable
from tests.providers.agent.http_server import Exchange, serving
from tests.providers.agent.webhook_agent import TURN, agent_of, answering, asked, streaming

# --- bad answers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_an_overloaded_agent_may_be_asked_again(status: int) -> None:
    async with agent_of(answering(status, extra="retry-after: 7\r\n")) as (agent, _):
        with pytest.raises(Overloaded) as raised:
            await asked(agent)

    assert raised.value.retryable
    assert 7.0 == raised.value.retry_after_s
    assert "webhook" == raised.value.provider


@pytest.mark.parametrize(
    ("value", "least", "most"), [("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0), ("Fri, 01 Jan 2100 00:00:00 GMT", 1, 1e10)]
)
async def test_retry_after_may_be_a_date(value: str, least: float, most: float) -> None:
    async with agent_of(answering(503, extra=f"retry-after: {value}\r\n")) as (agent, _):
        with pytest.raises(Overloaded) as raised:
            await asked(agent)

    assert raised.value.retry_after_s is not None
    assert least <= raised.value.retry_after_s <= most


async def test_retry_after_that_means_nothing_is_none() -> None:
    async with agent_of(answering(503, extra="retry-after: soon\r\n")) as (agent, _):
        with pytest.raises(Overloaded) as raised:
            await asked(agent)

    assert raised.value.retry_after_s is None


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 422])
async def test_a_refusal_and_a_redirect_are_final(status: int) -> None:
    async with agent_of(answering(status, extra="location: /elsewhere\r\n")) as (agent, server):
        with pytest.raises(Rejected, match=str(status)):
            await asked(agent)

    assert 1 == len(server.received)


async def test_what_is_told_raises_too() -> None:
    async with agent_of(answering(500)) as (agent, _):
        with pytest.raises(Overloaded):
            await agent.notify(AgentRequest("session.ended", "s"))


@pytest.mark.parametrize(
    ("content_type", "body", "wrong"),
    [
        ("text/html", "<p>", "content type is 'text/html'"),
        ("", "", "content type is ''"),
        ("application/json", "{", "not JSON"),
        ("application/json", "[]", "an object is expected"),
        ("application/json", '{"text": 1}', "text is 1, a string is expected"),
        ("application/json", '{"actions": {}}', "actions is {}, a list is expected"),
        ("application/json", '{"actions": "hangup"}', "actions is 'hangup', a list is expected"),
        ("application/json", '{"actions": ["hangup"]}', r"actions\[0\] is 'hangup', an object is expected"),
        (
            "application/json",
            '{"actions": [{"action": "dance"}]}',
            r"\[0\]\.action is 'dance', known are hangup",
        ),
        ("application/json", b'{"text": "\xff"}', "not UTF-8"),
        ("application/json", "[" * 100_000, "not JSON"),
        ("text/plain", b"caf\xe9", "not UTF-8"),
        ("text/plain", b"cut \xf0\x9f", "not UTF-8"),
        ("text/event-stream", "data: {\n\n", "not JSON"),
        ("text/event-stream", 'data: "hello"\n\n', "an object is expected"),
        ("text/event-stream", 'data: {"delta": 1}\n\n', "delta is 1, a string is expected"),
        ("text/event-stream", 'data: {"action": "transfer"}\n\n', "to is None, a string is expected"),
        ("text/event-stream", 'data: {"action": null}\n\n', "action is None"),
        ("text/event-stream", b'data: {"delta": "\xff"}\n\n', "not UTF-8"),
    ],
)
async def test_an_answer_that_cannot_be_understood_says_why(content_type: str, body: bytes | str, wrong: str) -> None:
    async with agent_of(answering(200, content_type, body)) as (agent, _):
        with pytest.raises(Malformed, match=wrong) as raised:
            await asked(agent)

    assert not raised.value.retryable


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "text/event-stream"])
async def test_an_endless_answer_is_cut(content_type: str) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.head(200, content_type)
        while True:
            await exchange.chunk(b"x" * 1000)

    async with agent_of(answer, max_answer_bytes=50_000) as (agent, _):
        with pytest.raises(Malformed, match="longer than 50000 bytes"):
            await asked(agent)


async def test_a_compressed_answer_is_refused() -> None:
    async with agent_of(answering(200, "text/plain", b"\x1f\x8b", extra="content-encoding: gzip\r\n")) as (agent, _):
        with pytest.raises(Malformed, match="compressed"):
            await asked(agent)


async def test_what_came_before_the_mistake_was_heard() -> None:
    async with agent_of(streaming('{"delta": "One."}', "oops")) as (agent, _):
        outputs = agent.ask(TURN)

        assert AgentText("One.") == await anext(outputs)
        with pytest.raises(Malformed):
            await anext(outputs)


# --- bad connections ----------------------------------------------------------------------------------------------


async def test_a_refused_connection_is_unreachable() -> None:
    async with serving(answering(204)) as server:
        url = server.url
    agent = Webhook(Webhook.Options.model_validate({"url": url}))

    with pytest.raises(Unreachable):
        await asked(agent)
    await agent.aclose()


async def _hang(exchange: Exchange) -> None:
    await exchange.gone()


async def _half_a_head(exchange: Exchange) -> None:
    await exchange.send("HTTP/1.1 200 OK\r\ncontent-ty")
    await exchange.gone()


async def _no_body(exchange: Exchange) -> None:
    await exchange.head(200, "text/event-stream")
    await exchange.gone()


async def _stall(exchange: Exchange) -> None:
    await exchange.head(200, "text/event-stream")
    await exchange.chunk('data: {"delta": "Hi"}\n\n')
    await exchange.gone()


async def _reset_at_once(exchange: Exchange) -> None:
    exchange.reset()


async def _reset_in_the_head(exchange: Exchange) -> None:
    await exchange.send("HTTP/1.1 200 OK\r\ncontent-ty")
    exchange.reset()


async def _reset_in_mid_stream(exchange: Exchange) -> None:
    await exchange.head(200, "text/event-stream")
    await exchange.chunk('data: {"delta": "Hi"}\n\n')
    exchange.reset()


async def _cut_short(exchange: Exchange) -> None:
    await exchange.head(200, "application/json", length=100)
    await exchange.send('{"text": "Hi')
    exchange.reset()


async def _not_http(exchange: Exchange) -> None:
    await exchange.send("220 mail.example.com ESMTP\r\n\r\n")
    exchange.reset()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (_hang, TimedOut),
        (_half_a_head, TimedOut),
        (_no_body, TimedOut),
        (_stall, TimedOut),
        (_reset_at_once, Unreachable),
        (_reset_in_the_head, Unreachable),
        (_reset_in_mid_stream, Unreachable),
        (_cut_short, Unreachable),
        (_not_http, Unreachable),
    ],
)
async def test_a_bad_connection_is_an_error_that_may_pass(
    answer: Callable[[Exchange], Awaitable[None]], error: type[ProviderError]
) -> None:
    async with agent_of(answer, timeout_s=0.2, read_gap_timeout_s=0.2) as (agent, _):
        async with asyncio.timeout(2):
            with pytest.raises(error) as raised:
                await asked(agent)

    assert raised.value.retryable


async def test_a_dripping_head_does_not_outlast_the_limit() -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send("HTTP/1.1 200 OK\r\nx: ")
        with contextlib.suppress(ConnectionError):
            while True:
                await exchange.send("y")
                await asyncio.sleep(0.02)  # a byte now and then is what is tested

    async with agent_of(answer, timeout_s=0.2) as (agent, _):
        async with asyncio.timeout(2):
            with pytest.raises(TimedOut):
                await asked(agent)


async def test_the_next_turn_works_after_every_kind_of_failure() -> None:
    failures = iter([_reset_at_once, _reset_in_mid_stream, _cut_short, _stall])

    async def answer(exchange: Exchange) -> None:
        await next(failures, streaming('{"delta": "Well."}'))(exchange)

    async with agent_of(answer, read_gap_timeout_s=0.1) as (agent, _):
        for _ in range(4):
            with pytest.raises(ProviderError):
                await asked(agent)

        assert [AgentText("Well.")] == await asked(agent)


# --- giving up ----------------------------------------------------------------------------------------------------


async def test_closing_the_answer_closes_the_connection_at_once() -> None:
    gone = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        await exchange.head(200, "text/event-stream")
        await exchange.chunk('data: {"delta": "Once"}\n\n')
        await exchange.gone()
        gone.set()

    async with agent_of(answer) as (agent, _):
        outputs = agent.ask(TURN)
        assert AgentText("Once") == await anext(outputs)
        await outputs.aclose()
        async with asyncio.timeout(1):
            await gone.wait()


@pytest.mark.parametrize("starts", [False, True], ids=["before the head", "in the body"])
async def test_cancelling_the_task_closes_the_connection(*, starts: bool) -> None:
    reached, gone = asyncio.Event(), asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        if starts:
            await exchange.head(200, "text/event-stream")
        reached.set()
        await exchange.gone()
        gone.set()

    async with agent_of(answer) as (agent, _):
        task = asyncio.create_task(asked(agent))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(1):
            await gone.wait()


async def test_an_abandoned_answer_leaves_no_task() -> None:
    async with agent_of(_stall) as (agent, _):
        outputs = agent.ask(TURN)
        await anext(outputs)
        before = asyncio.all_tasks()
        await outputs.aclose()

        assert set() == asyncio.all_tasks() - before


async def test_after_closing_nothing_is_asked() -> None:
    agent = Webhook(Webhook.Options.model_validate({"url": "http://127.0.0.1:1"}))
    await agent.warm_up()
    await agent.aclose()
    await agent.aclose()

    with pytest.raises(Rejected, match="closed"):
        await asked(agent)
