"""The agent that is a language model: what it sends, what it understands, what it is configured with."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
from pydantic import ValidationError

import providers
from providers.agent.openai import INTERRUPTED, OPENING, OpenAI
from providers.api import AgentAction, AgentRequest, AgentText, Message
from providers.errors import Rejected, Unreachable
from providers.http_stream import TRACEPARENT
from tests.providers.agent.http_server import Exchange
from tests.providers.agent.openai_server import (
    HANGUP,
    KEY,
    TURN,
    asked,
    base_of,
    calling,
    chunk,
    messages_of,
    model_of,
    streaming,
    words,
)

HELLO = streaming(*words("Hello."))
ALL = ["hangup", "transfer", "send_digits"]


# --- the request --------------------------------------------------------------------------------------------------


async def test_a_turn_is_asked_as_the_api_reference_says() -> None:
    async with model_of(HELLO, secret=KEY, instructions="Be brief.", temperature=0.5, max_tokens=80) as (agent, server):
        assert [AgentText("Hello.")] == await asked(agent)
    received = server.received[0]

    assert ("POST", "/v1/chat/completions") == (received.method, received.path)
    assert f"Bearer {KEY}" == received.headers["authorization"]
    assert "text/event-stream" == received.headers["accept"]
    assert {
        "model": "m",
        "stream": True,
        "temperature": 0.5,
        "max_tokens": 80,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "hello"},
            {"role": "assistant", "content": "Hello, how"},
            {"role": "user", "content": f"{INTERRUPTED}\nwhat time is it"},
        ],
    } == received.json()


async def test_the_trace_context_of_the_task_is_carried() -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with model_of(HELLO) as (agent, server):
        TRACEPARENT.set(trace)
        await asked(agent)

    assert trace == server.received[0].headers["traceparent"]


async def test_without_a_key_there_is_no_authorization() -> None:
    async with model_of(HELLO) as (agent, server):
        await asked(agent)

    assert "authorization" not in server.received[0].headers


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/", "/v1/chat/completions"])
async def test_the_url_may_be_the_server_its_base_or_the_whole_address(path: str) -> None:
    async with model_of(HELLO) as (_, server):
        url = base_of(server).removesuffix("/v1") + path
        agent = OpenAI(OpenAI.Options.model_validate({"model": "m", "url": url}))

        assert [AgentText("Hello.")] == await asked(agent)
        await agent.aclose()


async def test_a_query_stays_behind_the_path() -> None:
    async with model_of(HELLO) as (_, server):
        url = base_of(server).replace("/v1", "/openai/deployments/d?api-version=1")
        agent = OpenAI(OpenAI.Options.model_validate({"model": "m", "url": url}))
        with pytest.raises(Rejected):
            await asked(agent)
        await agent.aclose()

    assert "/openai/deployments/d/chat/completions?api-version=1" == server.received[0].path


async def test_roles_alternate_and_the_user_comes_first() -> None:
    history = (
        Message("assistant", "Hello!"),
        Message("user", "I want"),
        Message("user", "a pizza"),
        Message("assistant", "Which?"),
    )
    async with model_of(HELLO) as (agent, server):
        await asked(agent, AgentRequest("turn", "s", "3", "a large one", history=history))

    assert [
        {"role": "user", "content": OPENING},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "I want\na pizza"},
        {"role": "assistant", "content": "Which?"},
        {"role": "user", "content": "a large one"},
    ] == messages_of(server)


async def test_an_answer_of_which_nothing_was_heard_is_told_as_interrupted_only() -> None:
    history = (Message("user", "hi"), Message("assistant", "", interrupted=True))
    async with model_of(HELLO) as (agent, server):
        await asked(agent, AgentRequest("turn", "s", "3", "wait", history=history))

    assert [{"role": "user", "content": f"hi\n{INTERRUPTED}\nwait"}] == messages_of(server)


async def test_keys_that_were_pressed_are_a_message_of_the_user() -> None:
    async with model_of(HELLO) as (agent, server):
        await asked(agent, AgentRequest("dtmf", "s", "4", digits="12#"))

    assert messages_of(server)[-1]["content"].endswith(" 12#")


@pytest.mark.parametrize(("given", "told"), [({}, False), ({"metadata": False}, False), ({"metadata": True}, True)])
async def test_the_metadata_are_told_where_that_is_wanted(given: dict[str, bool], told: bool) -> None:  # noqa: FBT001 - a case
    async with model_of(HELLO, **given) as (agent, server):
        await asked(agent)

    assert told == ('{"caller": "alice"}' in server.received[0].json()["messages"][0]["content"])


async def test_metadata_that_are_no_json_are_refused() -> None:
    async with model_of(HELLO, metadata=True) as (agent, _):
        with pytest.raises(Rejected, match="cannot be sent as JSON"):
            await asked(agent, AgentRequest("turn", "s", "1", "hi", metadata={"a": object()}))


async def test_more_parameters_go_into_the_request() -> None:
    async with model_of(HELLO, parameters={"reasoning_effort": "low"}) as (agent, server):
        await asked(agent)

    assert "low" == server.received[0].json()["reasoning_effort"]


def test_the_vendor_is_told_the_limit_of_tokens_by_its_new_name() -> None:
    agent = OpenAI(OpenAI.Options(model="gpt", max_tokens=50))

    assert {"model": "gpt", "stream": True, "max_completion_tokens": 50} == agent._fixed


async def test_only_the_actions_that_are_listed_are_offered() -> None:
    async with model_of(HELLO, actions=["hangup", "transfer"], transfer_to=["+15550100"]) as (agent, server):
        await asked(agent)
    offered = {tool["function"]["name"]: tool["function"]["parameters"] for tool in server.received[0].json()["tools"]}

    assert ["hangup", "transfer"] == list(offered)
    assert ["+15550100"] == offered["transfer"]["properties"]["to"]["enum"]
    assert ["to"] == offered["transfer"]["required"]


async def test_sessions_share_a_connection() -> None:
    async with model_of(HELLO) as (agent, server):
        for _ in range(3):
            await asked(agent)

    assert [1, 1, 1] == [received.connection for received in server.received]


# --- what needs no model ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("greeting", "said"), [("Good day!", [AgentText("Good day!")]), ("", [])])
async def test_a_fixed_greeting_is_said_as_it_stands(greeting: str, said: list[AgentText]) -> None:
    async with model_of(HELLO, greeting=greeting) as (agent, server):
        assert said == await asked(agent, AgentRequest("session.started", "s"))

    assert [] == server.received


async def test_without_a_greeting_the_model_is_asked_for_one() -> None:
    async with model_of(HELLO) as (agent, server):
        assert [AgentText("Hello.")] == await asked(agent, AgentRequest("session.started", "s"))

    assert [{"role": "user", "content": OPENING}] == messages_of(server)


@pytest.mark.parametrize(("given", "said"), [({}, []), ({"away": "Hello?"}, [AgentText("Hello?")])])
async def test_silence_of_the_user_does_not_ask_the_model(given: dict[str, str], said: list[AgentText]) -> None:
    async with model_of(HELLO, **given) as (agent, server):
        assert said == await asked(agent, AgentRequest("user.away", "s", times_away=1))
        assert [] == await asked(agent, AgentRequest("turn", "s", "1", " "))
        await agent.notify(AgentRequest("turn.interrupted", "s", "1", heard_text="It"))

    assert [] == server.received


# --- good answers -------------------------------------------------------------------------------------------------


async def test_the_first_word_is_heard_before_the_answer_is_finished() -> None:
    heard = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        await exchange.head(200, "text/event-stream; charset=utf-8")
        await exchange.chunk(f": keep-alive\n\ndata: {chunk({'content': 'one'})}\n\n")
        await heard.wait()
        await exchange.chunk(f"data: {chunk({'content': 'two'})}\n\ndata: [DONE]\n\n")
        await exchange.end()

    async with model_of(answer) as (agent, _), contextlib.aclosing(agent.ask(TURN)) as outputs:
        assert AgentText("one") == await anext(outputs)
        heard.set()
        assert AgentText("two") == await anext(outputs)


async def test_a_stream_may_be_cut_anywhere_also_within_a_character() -> None:
    plain = [chunk({"content": "grüß"}), chunk({"content": " 你"}), chunk({"content": "🙂"}, "stop")]
    unescaped = [json.dumps(json.loads(event), ensure_ascii=False) for event in plain]
    data = "".join(f"data: {event}\r\n\r\n: OPENROUTER PROCESSING\n\n" for event in unescaped).encode()

    async def answer(exchange: Exchange) -> None:
        await exchange.head(200, "text/event-stream")
        for at in range(len(data)):
            await exchange.chunk(data[at : at + 1])
        await exchange.end()

    async with model_of(answer) as (agent, _):
        assert [AgentText("grüß"), AgentText(" 你"), AgentText("🙂")] == await asked(agent)


async def test_nothing_behind_the_end_is_waited_for() -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.head(200, "text/event-stream")
        await exchange.chunk("".join(f"data: {event}\n\n" for event in words("Hi")))
        await exchange.gone()

    async with model_of(answer) as (agent, _):
        async with asyncio.timeout(2):
            assert [AgentText("Hi")] == await asked(agent)


@pytest.mark.parametrize(
    "events",
    [
        [chunk({"content": "Hi"})],
        [chunk(None), chunk({"content": None}), chunk({"content": "Hi", "reasoning_content": "Well"}, "length")],
        ['{"choices": [], "usage": null}', *words("Hi"), '{"choices": [], "usage": {"total_tokens": 3}}'],
        [chunk({"refusal": "Hi"}), chunk({}, "stop")],
        ['{"choices": [{"delta": {"content": "Hi"}, "finish_reason": ""}]}'],
    ],
    ids=["no reason", "null", "statistics", "refusal", "bare"],
)
async def test_servers_differ_in_what_surrounds_the_words(events: list[str]) -> None:
    async with model_of(streaming(*events)) as (agent, _):
        assert [AgentText("Hi")] == await asked(agent)


async def test_a_reason_to_stop_is_an_end_without_done() -> None:
    async with model_of(streaming(*words("Hi"), done=False)) as (agent, _):
        assert [AgentText("Hi")] == await asked(agent)


async def test_half_a_surrogate_pair_is_dropped() -> None:
    async with model_of(streaming(r'{"choices": [{"delta": {"content": "a\ud83db"}}]}')) as (agent, _):
        assert [AgentText("ab")] == await asked(agent)


# --- tools --------------------------------------------------------------------------------------------------------


async def test_arguments_in_pieces_are_put_together_behind_the_words() -> None:
    events = (
        chunk({"content": "One moment."}),
        *calling(
            {"index": 0, "id": "call_1", "function": {"name": "send_digits", "arguments": ""}},
            {"index": 0, "function": {"arguments": '{"dig'}},
            {"index": 0, "function": {"arguments": 'its": "12#"}'}},
            {"index": 1, "id": "call_2", "function": {"name": "transfer", "arguments": '{"to": "+1555'}},
            {"index": 1, "function": {"arguments": '0100"}'}},
        ),
    )
    async with model_of(streaming(*events), actions=ALL) as (agent, _):
        outputs = await asked(agent)

    assert [
        AgentText("One moment."),
        AgentAction("dtmf", digits="12#"),
        AgentAction("transfer", to="+15550100"),
    ] == outputs


async def test_an_action_comes_with_the_reason_to_stop_and_not_with_the_end_of_the_stream() -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.head(200, "text/event-stream")
        await exchange.chunk("".join(f"data: {event}\n\n" for event in calling(HANGUP)))
        await exchange.gone()

    async with model_of(answer, actions=["hangup"]) as (agent, _):
        async with asyncio.timeout(2):
            assert [AgentAction("hangup")] == await asked(agent)


@pytest.mark.parametrize(
    "pieces",
    [
        [{"function": {"name": "hangup"}}],
        [{"id": "a", "function": {"name": "hangup", "arguments": "{}"}}],
        [
            {"index": 0, "id": "a", "function": {"name": "hangup"}},
            {"index": 0, "id": "a", "function": {"name": "hangup"}},
        ],
        [
            {"index": 0, "id": "a", "function": {"name": "hangup"}},
            {"index": 0, "id": "", "function": {"arguments": "{}"}},
        ],
    ],
    ids=["no index", "no index but an id", "all repeated", "empty id"],
)
async def test_servers_differ_in_how_they_number_calls(pieces: list[dict[str, object]]) -> None:
    async with model_of(streaming(*calling(*pieces)), actions=["hangup"]) as (agent, _):
        assert [AgentAction("hangup")] == await asked(agent)


async def test_two_calls_with_one_number_are_two() -> None:
    digits = [
        {"index": 0, "id": id_, "function": {"name": "send_digits", "arguments": f'{{"digits": "{id_}"}}'}}
        for id_ in ("1", "2")
    ]
    async with model_of(streaming(*calling(*digits)), actions=ALL) as (agent, _):
        assert [AgentAction("dtmf", digits="1"), AgentAction("dtmf", digits="2")] == await asked(agent)


# --- options ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({}, "agent.openai.model: required"),
        (
            {"model": "m", "secret": "sk 1"},
            "agent.openai.secret: *** given, an API key is printable ASCII without spaces",
        ),
        (
            {"model": "m", "secret": "sk\n1"},
            "agent.openai.secret: *** given, an API key is printable ASCII without spaces",
        ),
        ({"model": "m", "parameters": {"n": 2}}, "agent.openai.parameters: {'n': 2} given, n cannot be set here"),
        ({"model": "m", "transfer_to": ["1"]}, "agent.openai.transfer_to: ['1'] given, actions has no transfer"),
    ],
)
def test_a_wrong_option_is_one_line(options: dict[str, object], line: str) -> None:
    with pytest.raises(Rejected) as raised:
        providers.create("agent", "openai", **options)

    assert line == str(raised.value)


@pytest.mark.parametrize("actions", [["sing"], "hangup"])
def test_an_unknown_action_is_refused(actions: object) -> None:
    with pytest.raises(ValidationError):
        OpenAI.Options.model_validate({"model": "m", "actions": actions})


def test_the_model_is_required() -> None:
    with pytest.raises(Rejected, match="model is required"):
        OpenAI()


def test_the_key_is_not_shown() -> None:
    assert KEY not in repr(OpenAI.Options.model_validate({"model": "m", "secret": KEY}))


async def test_https_reads_the_certificates_off_the_loop() -> None:
    agent = OpenAI(OpenAI.Options.model_validate({"model": "m", "url": "https://127.0.0.1:1"}))
    await agent.warm_up()

    with pytest.raises(Unreachable):
        await asked(agent)
    await agent.aclose()
