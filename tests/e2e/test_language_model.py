"""A whole server whose agent is a language model behind HTTP: a greeting, a turn, an interruption, a hang-up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.parts import build
from app.settings import WrongSettings, load
from providers.agent.openai import INTERRUPTED, OPENING
from tests.caller import Caller
from tests.caller import calling as on_a_call
from tests.providers.agent.http_server import Answer, Exchange, Server, serving, sse
from tests.providers.agent.openai_server import HANGUP, KEY, base_of, calling, checked, chunk, words
from tests.server import running


@asynccontextmanager
async def call_with(answer: Answer, **options: object) -> AsyncIterator[tuple[Caller, Server]]:
    """A call to a server that is set as operators set it: by its environment."""
    async with serving(checked(answer, KEY)) as model:
        environment = {
            "BELUGA_AGENT__PROVIDER": "openai",
            "BELUGA_AGENT__URL": base_of(model),
            "BELUGA_AGENT__SECRET": KEY,
            "BELUGA_AGENT__OPTIONS": json.dumps({"model": "m", **options}),
            "BELUGA_SESSION__RETRY_DELAY": "100ms",
        }
        async with running(environment) as server, on_a_call(server.ws_url) as caller:
            await caller.start()
            yield caller, model


def said_to(model: Server, request: int) -> list[str]:
    return [message["content"] for message in model.received[request].json()["messages"][1:]]


async def test_the_model_greets_answers_and_hangs_up() -> None:
    async def answer(exchange: Exchange) -> None:
        last = exchange.received.json()["messages"][-1]["content"]
        if last == OPENING:
            await sse(exchange, *words("Good ", "day!"))
        else:
            await sse(exchange, chunk({"content": f"You said: {last}. Bye."}), *calling(HANGUP))

    async with call_with(answer, actions=["hangup"]) as (caller, model):
        greeting = await caller.until("reply", event="done")
        done = await caller.converse("the end")
        ended = await caller.until("ended")

    assert ("Good day!", "You said: the end. Bye.", "agent") == (
        greeting["heard_text"],
        done["heard_text"],
        ended["reason"],
    )
    assert [OPENING, "Good day!", "the end"] == said_to(model, 1)


async def test_the_first_words_are_heard_before_the_model_has_finished() -> None:
    heard = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        await exchange.head(200, "text/event-stream")
        await exchange.chunk(f"data: {chunk({'content': 'Let me see. It '})}\n\n")
        await heard.wait()
        await exchange.chunk(f"data: {chunk({'content': 'is noon.'}, 'stop')}\n\n")
        await exchange.end()

    async with call_with(answer, greeting="") as (caller, _):
        await caller.send("text", text="what time is it")
        await caller.until_audio()
        heard.set()
        done = await caller.until("reply", event="done")

    assert "Let me see. It is noon." == done["heard_text"]


async def test_the_model_knows_how_much_of_an_answer_was_heard() -> None:
    sentences = ["The first was heard.", "So was the second.", "The third was not."]

    async def answer(exchange: Exchange) -> None:
        await exchange.head(200, "text/event-stream")
        await exchange.chunk(f"data: {chunk({'content': ' '.join([*sentences, 'And '])})}\n\n")
        await exchange.gone()

    async with call_with(answer, greeting="") as (caller, model):
        await caller.send("text", text="tell me")
        for _ in range(25):  # of 30 frames, of which 10 may be on their way: the first sentence was heard
            await caller.until_audio()
        await caller.send("interrupt")
        done = await caller.until("reply", event="done")
        model.answer = checked(_fine, KEY)
        await caller.converse("stop")

    assert done["interrupted"]
    assert done["heard_text"].startswith(sentences[0])
    assert ["tell me", done["heard_text"], f"{INTERRUPTED}\nstop"] == said_to(model, -1)


async def _fine(exchange: Exchange) -> None:
    await sse(exchange, *words("All is well."))


async def test_a_model_that_is_overloaded_is_asked_again_and_the_caller_hears_no_error() -> None:
    async def answer(exchange: Exchange) -> None:
        if len(model.received) <= 2:
            await exchange.whole(429, "application/json", "{}", extra="retry-after: 0\r\n")
        else:
            await _fine(exchange)

    async with call_with(answer, greeting="") as (caller, model):
        done = await caller.converse("hello")

    assert "All is well." == done["heard_text"]
    assert [] == [message for message in caller.messages if message["type"] == "error"]


def test_without_a_model_the_start_is_refused_in_one_line() -> None:
    settings = load(environment={"BELUGA_AGENT__PROVIDER": "openai", "BELUGA_AGENT__URL": "http://127.0.0.1:11434/v1"})
    with pytest.raises(WrongSettings) as raised:
        build(settings)

    assert ["agent.options.model: required"] == raised.value.lines
