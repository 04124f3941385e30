"""All that a model's server does wrong, and which error of our tree it is."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest

from providers.agent.openai import OpenAI
from providers.api import AgentText
from providers.errors import Malformed, Overloaded, ProviderError, Rejected, TimedOut, Unreachable
from tests.providers.agent.http_server import Answer, Exchange
from tests.providers.agent.openai_server import (
    KEY,
    TURN,
    asked,
    calling,
    chunk,
    model_of,
    refusing,
    streaming,
    words,
)

SHORT = {"timeout_s": 0.2, "read_gap_timeout_s": 0.2}


async def error_of(answer: Answer, **options: object) -> ProviderError:
    async with model_of(answer, **options) as (agent, _):
        with pytest.raises(ProviderError) as raised:
            await asked(agent)
    assert "openai" == raised.value.provider
    return raised.value


def in_stream(*parts: bytes | str, hold: bool = False) -> Answer:
    """A good head, these parts, and then the end of the stream or silence."""

    async def answer(exchange: Exchange) -> None:
        await exchange.head(200, "text/event-stream")
        for part in parts:
            await exchange.chunk(part)
        await (exchange.gone() if hold else exchange.end())

    return answer


# --- refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [(429, Overloaded), (500, Overloaded), (503, Overloaded), (400, Rejected), (404, Rejected), (302, Rejected)],
)
async def test_the_status_tells_whether_to_try_again(status: int, kind: type[ProviderError]) -> None:
    error = await error_of(refusing(status))

    assert kind is type(error)
    assert f"openai: the server answered {status}" == str(error)


async def test_how_long_to_wait_is_what_the_server_asked_for() -> None:
    error = await error_of(refusing(429, extra="retry-after: 7\r\n"))

    assert isinstance(error, Overloaded)
    assert 7 == error.retry_after_s


async def test_a_wrong_key_is_rejected() -> None:
    async with model_of(streaming(*words("Hi")), secret=KEY) as (_, server):
        url = server.url.removesuffix("/agent")
        agent = OpenAI(OpenAI.Options.model_validate({"model": "m", "url": url, "secret": "sk-other"}))
        with pytest.raises(Rejected, match=r"answered 401 \(invalid_request_error, invalid_api_key\)"):
            await asked(agent)
        await agent.aclose()


async def test_a_refusal_is_told_by_its_names_and_not_by_its_message() -> None:
    names = {"type": "invalid_request_error", "code": "unsupported_value", "param": "messages[1].content"}
    error = await error_of(refusing(400, json.dumps({"error": names | {"message": "bad: my number is 5550100"}})))

    assert "(invalid_request_error, unsupported_value, messages[1].content)" in str(error)
    assert "5550100" not in str(error)


@pytest.mark.parametrize("body", ["", "<html>", "[]", '{"error": "no"}', '{"error": {"code": "my number is 5"}}'])
async def test_a_refusal_without_names_is_told_by_its_status(body: str) -> None:
    assert "openai: the server answered 400" == str(await error_of(refusing(400, body)))


async def test_a_refusal_that_never_ends_is_not_waited_for() -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.head(500, "application/json")
        await exchange.gone()

    assert isinstance(await error_of(answer, **SHORT), Overloaded)


# --- broken streams -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "part",
    [
        "data: {\n\n",
        "data: 5\n\n",
        "data: {}\n\n",
        'data: {"choices": 5}\n\n',
        'data: {"choices": [5]}\n\n',
        'data: {"choices": [{"delta": 5}]}\n\n',
        'data: {"choices": [{"delta": {"content": ["a"]}}]}\n\n',
        'data: {"choices": [{"delta": {"tool_calls": [5]}}]}\n\n',
        'data: {"choices": [{"delta": {"tool_calls": [{"index": 0}]}}]}\n\n',
        'data: {"choices": [{"delta": {"tool_calls": [{"function": {"arguments": {}}}]}}]}\n\n',
        b"data: \xff\n\n",
        ": only a comment\n\n",
        'data: {"choices": [{"delta": {"content": "Hi"}}]}',
    ],
)
async def test_a_stream_that_cannot_be_understood_is_malformed(part: bytes | str) -> None:
    assert isinstance(await error_of(in_stream(part)), Malformed)


async def test_what_was_said_before_the_stream_broke_was_passed_on() -> None:
    broken = in_stream(f"data: {chunk({'content': 'Hi'})}\n\ndata: {{\n\n")
    async with model_of(broken) as (agent, _), contextlib.aclosing(agent.ask(TURN)) as outputs:
        assert AgentText("Hi") == await anext(outputs)
        with pytest.raises(Malformed, match="a chunk is not JSON"):
            await anext(outputs)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "The server had an error", "type": "server_error"}, Overloaded),
        ({"message": "slow down", "code": 429}, Overloaded),
        ("out of memory", Overloaded),
        ({"message": "too long", "type": "invalid_request_error", "code": "context_length_exceeded"}, Rejected),
        ({"message": "too long", "code": 400}, Rejected),
    ],
)
async def test_an_error_in_the_stream_is_the_servers_unless_it_says_otherwise(
    error: object, kind: type[ProviderError]
) -> None:
    raised = await error_of(streaming(chunk({"content": "Hi"}), json.dumps({"error": error})))

    assert kind is type(raised)


async def test_an_answer_of_another_type_is_malformed() -> None:
    assert "content type is 'application/json'" in str(await error_of(refusing(200, "{}")))


async def test_an_answer_without_end_is_cut_off() -> None:
    error = await error_of(streaming(*words("a" * 2_000)), max_answer_bytes=1_000)

    assert "openai: the answer is longer than 1000 bytes" == str(error)


# --- tools --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("transfer", '{"to": "+1555'),
        ("transfer", "{}"),
        ("transfer", '{"to": 5}'),
        ("transfer", '{"to": "+15550199"}'),
        ("send_digits", '{"digits": "one"}'),
        ("send_digits", "[]"),
        ("hangup", "{"),
        ("sing", "{}"),
        ("", "{}"),
    ],
)
async def test_a_call_that_was_not_offered_so_is_malformed(name: str, arguments: str) -> None:
    piece = {"index": 0, "id": "a", "function": {"name": name, "arguments": arguments}}
    actions = ["hangup", "transfer", "send_digits"]
    error = await error_of(streaming(*calling(piece)), actions=actions, transfer_to=["+15550100"])

    assert isinstance(error, Malformed)
    assert "+1555" not in str(error)


async def test_calls_without_end_are_malformed() -> None:
    pieces = [{"index": at, "function": {"name": "hangup"}} for at in range(17)]

    assert "more than 16 tool calls" in str(await error_of(streaming(*calling(*pieces)), actions=["hangup"]))


# --- time and connections -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parts",
    [(), (": keep-alive\n\n",), (f"data: {chunk({'role': 'assistant', 'content': ''})}\n\n",)],
    ids=["nothing", "comment", "role"],
)
async def test_no_token_in_time_is_late_whatever_else_came(parts: tuple[str, ...]) -> None:
    assert isinstance(await error_of(in_stream(*parts, hold=True), **SHORT), TimedOut)


async def test_no_answer_in_time_is_late() -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.gone()

    assert isinstance(await error_of(answer, **SHORT), TimedOut)


async def test_a_gap_within_the_answer_is_late() -> None:
    error = await error_of(in_stream(f"data: {chunk({'content': 'Hi'})}\n\n", hold=True), **SHORT)

    assert isinstance(error, TimedOut)


async def test_a_connection_that_breaks_is_unreachable() -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.head(200, "text/event-stream")
        await exchange.chunk(f"data: {chunk({'content': 'Hi'})}\n\n")
        exchange.reset()

    assert isinstance(await error_of(answer), Unreachable)


async def test_nobody_there_is_unreachable() -> None:
    agent = OpenAI(OpenAI.Options.model_validate({"model": "m", "url": "http://127.0.0.1:9"}))

    with pytest.raises(Unreachable):
        await asked(agent)
    await agent.aclose()


async def test_giving_up_closes_the_request() -> None:
    gone = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        await exchange.head(200, "text/event-stream")
        await exchange.chunk(f"data: {chunk({'content': 'Hi'})}\n\n")
        await exchange.gone()
        gone.set()

    async with model_of(answer) as (agent, _):
        async with contextlib.aclosing(agent.ask(TURN)) as outputs:
            assert AgentText("Hi") == await anext(outputs)
        async with asyncio.timeout(2):
            await gone.wait()

    assert gone.is_set()


async def test_being_cancelled_while_the_model_thinks_closes_the_request() -> None:
    came, gone = asyncio.Event(), asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        came.set()
        await exchange.gone()
        gone.set()

    async with model_of(answer) as (agent, _):
        task = asyncio.create_task(asked(agent))
        await came.wait()
        task.cancel()
        await asyncio.wait([task])
        async with asyncio.timeout(2):
            await gone.wait()

    assert task.cancelled()


async def test_after_closing_nobody_is_asked() -> None:
    async with model_of(streaming(*words("Hi"))) as (agent, server):
        await agent.aclose()
        with pytest.raises(Rejected, match="closed"):
            await asked(agent)

    assert [] == server.received
