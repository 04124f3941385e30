"""A whole server, a real webhook, and all that a webhook does wrong: never a stuck or silent session."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from tests.caller import Caller, calling, silence, voice
from tests.e2e.line import on_the_line
from tests.providers.agent.http_server import Exchange, Server, serving, sse
from tests.server import RunningServer, running

Turn = Callable[[Exchange, int], Awaitable[None]]


@asynccontextmanager
async def call_with(turn: Turn, **session: object) -> AsyncIterator[tuple[Caller, Server, RunningServer]]:
    """A call to a server whose agent is a webhook; ``turn`` answers turns and is told how many came before."""
    turns = 0

    async def answer(exchange: Exchange) -> None:
        nonlocal turns
        if exchange.received.json()["type"] == "turn":
            turns += 1
            await turn(exchange, turns - 1)
        else:
            await exchange.whole(204, "", "")

    settings = {"apology": "Sorry.", "retry_delay": "100ms", "agent_timeout": "1500ms", **session}
    async with serving(answer) as webhook:
        agent = {"provider": "webhook", "url": webhook.url, "options": {"timeout_s": 0.5}}
        async with running(agent=agent, session=settings) as server, calling(server.ws_url) as caller:
            await caller.start()
            yield caller, webhook, server


async def the_session_goes_on(caller: Caller) -> None:
    done = await caller.converse("and again")
    assert "All is well." == done["heard_text"]


async def all_is_well(exchange: Exchange) -> None:
    await exchange.whole(200, "application/json", json.dumps({"text": "All is well."}))


async def test_an_answer_is_heard_before_it_is_finished() -> None:
    heard = asyncio.Event()

    async def turn(exchange: Exchange, _: int) -> None:
        await exchange.head(200, "text/event-stream")
        await exchange.chunk('data: {"delta": "Let me see. It "}\n\n')
        await heard.wait()  # the rest of the answer waits for the caller to have heard the start of it
        await exchange.chunk('data: {"delta": "is noon."}\n\ndata: [DONE]\n\n')
        await exchange.end()

    async with call_with(turn, agent_timeout="10s") as (caller, _, _):
        await caller.send("text", text="what time is it")
        await caller.until_audio()
        heard.set()
        done = await caller.until("reply", event="done")

    assert "Let me see. It is noon." == done["heard_text"]


async def hang(exchange: Exchange) -> None:
    await exchange.gone()


async def reset(exchange: Exchange) -> None:
    exchange.reset()


async def broken_json(exchange: Exchange) -> None:
    await exchange.whole(200, "application/json", '{"text": "Hel')


async def broken_event(exchange: Exchange) -> None:
    await sse(exchange, '{"delta": ')


async def not_found(exchange: Exchange) -> None:
    await exchange.whole(404, "text/plain", "no such agent")


async def always_500(exchange: Exchange) -> None:
    await exchange.whole(500, "text/plain", "oops")


@pytest.mark.parametrize("fails", [hang, reset, broken_json, broken_event, not_found, always_500])
async def test_a_webhook_that_fails_is_an_error_and_an_apology_and_the_next_turn_works(
    fails: Callable[[Exchange], Awaitable[None]],
) -> None:
    recovered = False

    async def turn(exchange: Exchange, _: int) -> None:
        await (all_is_well if recovered else fails)(exchange)

    async with call_with(turn) as (caller, _, _):
        await caller.send("text", text="what time is it")
        error = await caller.until("error")
        apology = await caller.until("reply", event="done")
        recovered = True
        await the_session_goes_on(caller)

    assert ("agent_error", False) == (error["code"], error["fatal"])
    assert "Sorry." == apology["heard_text"]


async def test_a_webhook_that_answers_500_three_times_is_asked_a_fourth_time() -> None:
    async def turn(exchange: Exchange, before: int) -> None:
        await (always_500 if before < 3 else all_is_well)(exchange)

    async with call_with(turn) as (caller, webhook, _):
        await the_session_goes_on(caller)
        ids = {received.headers.get("webhook-id") for received in webhook.received if received.json()["type"] == "turn"}

    assert [] == [message for message in caller.messages if message["type"] == "error"]
    assert 1 == len(ids)


async def test_what_was_heard_before_a_break_stays_heard() -> None:
    async def turn(exchange: Exchange, before: int) -> None:
        if before:
            await all_is_well(exchange)
            return
        await exchange.head(200, "text/event-stream")
        await exchange.chunk('data: {"delta": "This much was said. And "}\n\n')
        exchange.reset()

    async with call_with(turn) as (caller, _, _):
        done = await caller.converse("tell me")
        await caller.until("reply", event="done")  # the apology
        await the_session_goes_on(caller)

    assert "This much was said. And" == done["heard_text"]


async def test_hanging_up_waits_for_the_last_word() -> None:
    async def turn(exchange: Exchange, _: int) -> None:
        await sse(exchange, '{"action": "hangup"}', '{"delta": "Goodbye then."}')

    async with call_with(turn) as (caller, _, _):
        done = await caller.converse("bye")
        ended = await caller.until("ended")
        code = await caller.until_closed()

    assert "Goodbye then." == done["heard_text"]
    assert ("agent", 1000) == (ended["reason"], code)


async def test_the_agent_is_told_what_was_heard_of_a_reply_that_was_cut() -> None:
    interrupted = asyncio.Event()
    told: list[dict[str, object]] = []

    async def answer(exchange: Exchange) -> None:
        body = exchange.received.json()
        if body["type"] == "turn" and body["transcript"] == "a story":
            await exchange.whole(
                200, "text/plain", "One two three. Four five six. Seven eight nine. Ten eleven twelve."
            )
        elif body["type"] == "turn":
            told.append(body)
            await all_is_well(exchange)
        else:
            if body["type"] == "turn.interrupted":
                told.append(body)
                interrupted.set()
            await exchange.whole(204, "", "")

    async with serving(answer) as webhook:
        agent, tts = {"provider": "webhook", "url": webhook.url}, {"options": {"duration_ms": 700}}
        async with running(agent=agent, tts=tts) as server, calling(server.ws_url) as caller:
            await caller.start()
            await caller.send("text", text="a story")
            while len(caller.audio) < 20_000:
                caller.audio += await caller.until_audio()
            await caller.send("interrupt")
            cut = await caller.until("reply", event="done")
            await interrupted.wait()
            await caller.converse("and now")

    assert cut["interrupted"]
    assert cut["heard_text"] == told[0]["heard_text"]
    assert cut["text"].startswith(cut["heard_text"])
    assert [
        {"role": "user", "text": "a story", "interrupted": False},
        {"role": "assistant", "text": cut["heard_text"], "interrupted": True},
    ] == told[1]["history"]


async def test_a_draft_is_asked_for_early_held_back_and_committed() -> None:
    """Spoken turns alone are drafted: a hum for the energy detector, words from the fixed recogniser."""
    bodies: list[dict[str, object]] = []

    async def answer(exchange: Exchange) -> None:
        body = exchange.received.json()
        bodies.append(body)
        if body["type"] == "turn":
            await all_is_well(exchange)
        else:
            await exchange.whole(204, "", "")

    async with serving(answer) as webhook:
        agent = {"provider": "webhook", "url": webhook.url}
        stt = {"options": {"text": "well and"}}  # not finished: there is time for a draft
        session = {"preemptive": {"enabled": True}}
        async with running(agent=agent, stt=stt, session=session) as server, on_the_line(server.ws_url) as line:
            await line.say(silence(300) + voice(600))
            done = await line.until_message("reply", event="done")

    turns = [body for body in bodies if body["type"] in {"turn", "turn.committed"}]
    assert [("turn", True), ("turn.committed", False)] == [(body["type"], body["preemptive"]) for body in turns]
    assert turns[0]["turn_id"] == turns[1]["turn_id"] == done["turn_id"]
    assert "All is well." == done["heard_text"]
