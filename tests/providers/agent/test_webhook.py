"""The agent behind HTTP: what it sends, what it understands, what it is configured with."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
import standardwebhooks
from pydantic import ValidationError

from providers.agent.webhook import Webhook
from providers.api import AgentAction, AgentRequest, AgentText, Message
from providers.errors import Overloaded, Rejected, Unreachable
from providers.http_stream import TRACEPARENT
from tests.providers.agent.http_server import Exchange
from tests.providers.agent.webhook_agent import TURN, agent_of, answering, asked, streaming

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
# --- the request --------------------------------------------------------------------------------------------------


async def test_a_turn_is_posted_as_the_contract_says() -> None:
    async with agent_of(answering(204)) as (agent, server):
        await asked(agent)
    received = server.received[0]

    assert {
        "type": "turn",
        "session_id": "s-1",
        "turn_id": "7",
        "transcript": "what time is it",
        "preemptive": False,
        "language": "en",
        "history": [
            {"role": "user", "text": "hello", "interrupted": False},
            {"role": "assistant", "text": "Hello, how", "interrupted": True},
        ],
        "metadata": {"caller": "alice"},
    } == received.json()
    assert "application/json" == received.headers["content-type"]
    assert "text/event-stream, application/json" == received.headers["accept"]
    assert "webhook-signature" not in received.headers


async def test_a_final_turn_names_the_draft_that_it_replaces() -> None:
    async with agent_of(answering(204)) as (agent, server):
        await asked(agent, AgentRequest("turn", "s", "2", "hi", preemptive=True, replaces="1"))

    assert ("1", True) == (server.received[0].json()["replaces"], server.received[0].json()["preemptive"])


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (
            AgentRequest("session.ended", "s", history=(Message("user", "bye"),), reason="client"),
            {"reason": "client", "transcript": [{"role": "user", "text": "bye", "interrupted": False}]},
        ),
        (AgentRequest("turn.interrupted", "s", "3", heard_text="It was the"), {"heard_text": "It was the"}),
        (AgentRequest("turn.committed", "s", "3", "hello"), {"transcript": "hello", "turn_id": "3"}),
    ],
    ids=lambda value: value.type if isinstance(value, AgentRequest) else "",
)
async def test_what_is_told_carries_its_own_fields(request_: AgentRequest, expected: dict[str, object]) -> None:
    async with agent_of(answering(200, "text/html", "ignored")) as (agent, server):
        await agent.notify(request_)
    body = server.received[0].json()

    assert request_.type == body["type"]
    assert expected == {name: body[name] for name in expected}


async def test_digits_are_sent_and_answered() -> None:
    async with agent_of(answering(200, "text/plain", "Five.")) as (agent, server):
        outputs = await asked(agent, AgentRequest("dtmf", "s", "4", digits="5"))

    assert [AgentText("Five.")] == outputs
    assert "5" == server.received[0].json()["digits"]


async def test_the_signature_is_one_that_standard_webhooks_accepts() -> None:
    async with agent_of(answering(204), secret=SECRET) as (agent, server):
        await asked(agent)
    received = server.received[0]

    assert received.json() == standardwebhooks.Webhook(SECRET).verify(received.body, received.headers)


async def test_every_attempt_at_one_turn_has_one_id_and_every_turn_its_own() -> None:
    async with agent_of(answering(503)) as (agent, server):
        for turn_id in ("1", "1", "2"):
            with pytest.raises(Overloaded):
                await asked(agent, AgentRequest("turn", "s", turn_id, "hello"))
    first, again, other = (received.headers["webhook-id"] for received in server.received)

    assert first == again
    assert first != other


async def test_the_trace_context_of_the_task_is_carried() -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with agent_of(answering(204)) as (agent, server):
        TRACEPARENT.set(trace)
        await asked(agent)

    assert trace == server.received[0].headers["traceparent"]


async def test_configured_headers_are_sent() -> None:
    async with agent_of(answering(204), headers={"authorization": "Bearer 1"}) as (agent, server):
        await asked(agent)

    assert "Bearer 1" == server.received[0].headers["authorization"]


async def test_turns_share_a_connection() -> None:
    async with agent_of(streaming('{"delta": "Hi"}')) as (agent, server):
        for _ in range(3):
            await asked(agent)

    assert [1, 1, 1] == [received.connection for received in server.received]


# --- good answers -------------------------------------------------------------------------------------------------


async def test_events_are_deltas_and_actions_in_their_order() -> None:
    events = (
        '{"delta": "Hel"}',
        '{"delta": "lo.", "model": "unknown keys are skipped"}',
        '{"something": "else"}',
        '{"action": "transfer", "to": "+15550100"}',
        '{"action": "dtmf", "digits": "12#"}',
        '{"delta": " Bye.", "action": "hangup"}',
    )
    async with agent_of(streaming(*events)) as (agent, _):
        outputs = await asked(agent)

    assert [
        AgentText("Hel"),
        AgentText("lo."),
        AgentAction("transfer", to="+15550100"),
        AgentAction("dtmf", digits="12#"),
        AgentText(" Bye."),
        AgentAction("hangup"),
    ] == outputs


async def test_the_first_delta_is_heard_before_the_answer_is_finished() -> None:
    heard = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        await exchange.head(200, "text/event-stream; charset=utf-8")
        await exchange.chunk(': comment\n\ndata: {"delta": "one"}\n\n')
        await heard.wait()
        await exchange.chunk('data: {"delta": "two"}\n\ndata: [DONE]\n\n')
        await exchange.end()

    async with agent_of(answer) as (agent, _), contextlib.aclosing(agent.ask(TURN)) as outputs:
        assert AgentText("one") == await anext(outputs)
        heard.set()
        assert AgentText("two") == await anext(outputs)


async def test_events_may_be_cut_anywhere() -> None:
    data = 'data: {"delta": "grüß"}\r\n\r\ndata: {"delta": " dich"}\r\rdata: [DONE]\n\n'.encode()

    async def answer(exchange: Exchange) -> None:
        await exchange.head(200, "text/event-stream")
        for at in range(len(data)):
            await exchange.chunk(data[at : at + 1])
        await exchange.end()

    async with agent_of(answer) as (agent, _):
        assert [AgentText("grüß"), AgentText(" dich")] == await asked(agent)


async def test_nothing_after_done_is_waited_for() -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.head(200, "text/event-stream")
        await exchange.chunk('data: {"delta": "Hi"}\n\ndata: [DONE]\n\n')
        await exchange.gone()

    async with agent_of(answer) as (agent, _):
        async with asyncio.timeout(2):
            assert [AgentText("Hi")] == await asked(agent)


async def test_a_clean_end_without_done_is_an_end() -> None:
    async with agent_of(streaming('{"delta": "Hi"}', done=False)) as (agent, _):
        assert [AgentText("Hi")] == await asked(agent)


async def test_json_is_text_and_then_actions() -> None:
    body = '{"text": "Bye.", "actions": [{"action": "hangup"}], "other": 1}'
    async with agent_of(answering(200, "application/json; charset=utf-8", body)) as (agent, _):
        assert [AgentText("Bye."), AgentAction("hangup")] == await asked(agent)


@pytest.mark.parametrize("body", ["{}", '{"text": null}', '{"actions": []}'])
async def test_json_may_say_nothing(body: str) -> None:
    async with agent_of(answering(200, "application/json", body)) as (agent, _):
        assert [] == await asked(agent)


async def test_plain_text_is_streamed_and_no_character_is_torn() -> None:
    data = "Süß… 😀".encode()

    async def answer(exchange: Exchange) -> None:
        await exchange.head(200, "text/plain")
        for at in range(len(data)):
            await exchange.chunk(data[at : at + 1])
        await exchange.end()

    async with agent_of(answer) as (agent, _):
        outputs = await asked(agent)

    assert list("Süß… 😀") == [output.delta for output in outputs if isinstance(output, AgentText)]


async def test_204_is_nothing_to_say() -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send("HTTP/1.1 204 No Content\r\n\r\n")

    async with agent_of(answer) as (agent, _):
        assert [] == await asked(agent)


async def test_half_a_surrogate_pair_is_dropped() -> None:
    async with agent_of(streaming(r'{"delta": "a\ud83db"}')) as (agent, _):
        assert [AgentText("ab")] == await asked(agent)


# --- options ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_not base64!", "whsec_a"])
def test_a_bad_secret_is_refused_at_construction(secret: str) -> None:
    with pytest.raises(ValidationError, match="a secret is whsec_ followed by base64"):
        Webhook.Options.model_validate({"url": "http://127.0.0.1", "secret": secret})


def test_the_secret_is_not_shown() -> None:
    options = Webhook.Options.model_validate({"url": "http://127.0.0.1", "secret": SECRET})

    assert SECRET not in repr(options)


@pytest.mark.parametrize("url", ["", "ftp://127.0.0.1", "127.0.0.1:80", "ws://127.0.0.1"])
def test_a_url_is_http_or_https(url: str) -> None:
    with pytest.raises(ValidationError):
        Webhook.Options.model_validate({"url": url})


@pytest.mark.parametrize("headers", [{"x": "a\r\nb: c"}, {"x": "é"}, {"x\n": "a"}])
def test_a_header_cannot_smuggle_another(headers: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Webhook.Options.model_validate({"url": "http://127.0.0.1", "headers": headers})


def test_the_url_is_required() -> None:
    with pytest.raises(Rejected, match="url is required"):
        Webhook()


async def test_metadata_that_is_no_json_is_refused() -> None:
    async with agent_of(answering(204)) as (agent, _):
        with pytest.raises(Rejected, match="metadata"):
            await asked(agent, AgentRequest("turn", "s", metadata={"a": object()}))


async def test_https_reads_the_certificates_off_the_loop() -> None:
    agent = Webhook(Webhook.Options.model_validate({"url": "https://127.0.0.1:1"}))
    await agent.warm_up()

    with pytest.raises(Unreachable):
        await asked(agent)
    await agent.aclose()
