"""A model's server for tests: refuses what OpenAI's API reference does not know, then streams chunks as it does."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from providers.agent.openai import OpenAI
from providers.api import AgentOutput, AgentRequest, Message
from tests.providers.agent.http_server import Answer, Exchange, Received, Server, serving, sse

KEY = "sk-test-0123456789"
TURN = AgentRequest(
    "turn",
    "s-1",
    "7",
    "what time is it",
    language="en",
    history=(Message("user", "hello"), Message("assistant", "Hello, how", interrupted=True)),
    metadata={"caller": "alice"},
)
HANGUP = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "hangup", "arguments": "{}"}}

_PARAMETERS: dict[str, type | tuple[type, ...]] = {
    "max_completion_tokens": int,
    "max_tokens": int,
    "messages": list,
    "model": str,
    "reasoning_effort": str,
    "stream": bool,
    "temperature": (int, float),
    "tools": list,
}


def chunk(delta: dict[str, Any] | None, finish_reason: str | None = None) -> str:
    """The data of one event."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return json.dumps(
        {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    )


def words(*texts: str) -> tuple[str, ...]:
    """The events of an answer, from the role to the reason why it ended."""
    role = chunk({"role": "assistant", "content": "", "refusal": None})
    return (role, *(chunk({"content": text}) for text in texts), chunk({}, "stop"))


def calling(*pieces: dict[str, Any]) -> tuple[str, ...]:
    """An answer of tool calls in these pieces."""
    return (*(chunk({"tool_calls": [piece]}) for piece in pieces), chunk({}, "tool_calls"))


def streaming(*events: str, done: bool = True) -> Answer:
    async def answer(exchange: Exchange) -> None:
        await sse(exchange, *events, done=done)

    return answer


def refusing(status: int, body: str = "", *, extra: str = "") -> Answer:
    async def answer(exchange: Exchange) -> None:
        await exchange.whole(status, "application/json", body, extra=extra)

    return answer


def checked(answer: Answer, key: str | None = None) -> Answer:
    """``answer``, to requests as the reference has them; errors as it has them to all others."""

    async def check(exchange: Exchange) -> None:
        status, code = _mistake(exchange.received, key)
        if status == 200:
            await answer(exchange)
        else:
            error = {"message": "no", "type": "invalid_request_error", "param": None, "code": code}
            await exchange.whole(status, "application/json", json.dumps({"error": error}))

    return check


def _mistake(received: Received, key: str | None) -> tuple[int, str]:
    if ("POST", "/v1/chat/completions") != (received.method, received.path):
        return 404, "unknown_url"
    if received.headers.get("authorization") != (f"Bearer {key}" if key else None):
        return 401, "invalid_api_key"
    if received.headers.get("content-type") != "application/json":
        return 400, "content_type"
    body = received.json()
    for name, value in body.items():
        if name not in _PARAMETERS or not isinstance(value, _PARAMETERS[name]):
            return 400, f"unsupported_parameter.{name}"
    if not {"messages", "model"} <= body.keys() or body.get("stream") is not True:
        return 400, "missing_required_parameter"
    for message in body["messages"]:
        if message["role"] not in {"system", "user", "assistant"} or not message["content"]:
            return 400, "invalid_message"
    for tool in body.get("tools", []):
        if tool["type"] != "function" or not {"name", "parameters"} <= tool["function"].keys():
            return 400, "invalid_tool"
    return 200, ""


@contextlib.asynccontextmanager
async def model_of(answer: Answer, **options: object) -> AsyncIterator[tuple[OpenAI, Server]]:
    """An agent joined to a server on loopback, which checks what it is asked."""
    secret = options.get("secret")
    async with serving(checked(answer, str(secret) if secret else None)) as server:
        given = {"model": "m", "url": base_of(server), **options}
        agent = OpenAI(OpenAI.Options.model_validate(given))
        try:
            yield agent, server
        finally:
            await agent.aclose()


def base_of(server: Server) -> str:
    return server.url.removesuffix("/agent") + "/v1"


async def asked(agent: OpenAI, request: AgentRequest = TURN) -> list[AgentOutput]:
    return [output async for output in agent.ask(request)]


def messages_of(server: Server) -> list[dict[str, str]]:
    """What the last request said, without the system message."""
    messages: list[dict[str, str]] = server.received[-1].json()["messages"]
    return [message for message in messages if message["role"] != "system"]
