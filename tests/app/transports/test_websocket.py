from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from providers.fakes import FakeEcho
from tests.caller import PCM_16K, Caller, calling, silence, voice
from tests.server import RunningServer, running

AT_ONCE = {"BELUGA_SESSION__RESUME_GRACE": "0"}
"""A session whose client has gone ends at once."""


@asynccontextmanager
async def unharmed(server: RunningServer) -> AsyncIterator[None]:
    """Whatever happens inside: afterwards the server talks as before, and has nothing left of it."""
    await talk_once(server)
    await until_quiet(server)
    tasks, threads = len(asyncio.all_tasks()), threading.active_count()
    yield
    await talk_once(server)
    await until_quiet(server)

    assert tasks == len(asyncio.all_tasks())
    assert threads == threading.active_count()
    assert 0 == len(server.edge.calls)


async def talk_once(server: RunningServer) -> None:
    async with calling(server.ws_url) as caller:
        await caller.start()
        done = await caller.converse("are you there")
        await caller.send("stop")

        assert "are you there" == done["text"]
        assert 1000 == await caller.until_closed()


async def until_quiet(server: RunningServer) -> None:
    """Until the tasks of closed connections are gone."""
    async with asyncio.timeout(5):
        await server.edge.calls.wait_empty(5)
        ours = [task for task in asyncio.all_tasks() if "run_asgi" in repr(task) or "VoiceSession" in repr(task)]
        if ours:
            await asyncio.wait(ours)


async def refusal(caller: Caller) -> tuple[dict[str, Any], int]:
    """The error message and the close code of a connection that is not taken."""
    code = await caller.until_closed()
    (error,) = caller.messages
    return error, code


# --- a session ----------------------------------------------------------------------------------------------------


async def test_a_typed_turn_is_answered_in_text_and_in_sound() -> None:
    async with running() as server, calling(server.ws_url) as caller:
        ready = await caller.start()
        done = await caller.converse("how are you")
        await caller.send("stop")
        code = await caller.until_closed()

        assert {"encoding": "pcm_s16le", "sample_rate": 16000, "frame_ms": 20} == ready["audio"]
        assert {"type", "session_id", "resume_token", "audio"} == ready.keys()
        assert {"type", "turn_id", "event", "text", "heard_text", "interrupted", "latency"} == done.keys()
        assert "how are you" == done["text"] == done["heard_text"]
        assert {"endpoint_ms", "stt_ms", "agent_ms", "tts_ms", "response_ms"} == done["latency"].keys()
        assert len(caller.audio) > 3200
        assert {"type": "ended", "reason": "client"} == caller.messages[-1]
        assert 1000 == code


async def test_a_spoken_turn_is_heard_and_answered() -> None:
    async with running() as server, calling(server.ws_url) as caller:
        await caller.start()

        async def speak() -> None:
            for pcm in [voice(20)] * 50 + [silence(20)] * 150:
                await caller.socket.send(pcm)
                await asyncio.sleep(0.018)

        speaking = asyncio.create_task(speak())
        transcript = await caller.until("transcript", final=True)
        done = await caller.until("reply", event="done")
        await speaking
        types = [message["type"] for message in caller.messages]

        assert transcript["text"] == done["text"]
        assert "speech" in types
        assert "state" in types


async def test_a_caller_who_cancels_the_echo_is_not_searched_for_one() -> None:
    opened = []
    for echo_cancelled in (False, True):
        echo = FakeEcho()
        async with running() as server, calling(server.ws_url) as caller:
            server.edge.calls._parts = replace(server.edge.parts, echo=echo)
            await caller.start(echo_cancelled=echo_cancelled)
            await caller.converse()
            await caller.socket.send(voice(20))
            await caller.send("ping")
            await caller.until("pong")
            opened.append(len(echo.streams))

    assert [1, 0] == opened


@pytest.mark.parametrize("encoding", ["mulaw", "alaw"])
async def test_g711_goes_both_ways_a_byte_a_sample(encoding: str) -> None:
    async with running() as server, calling(server.ws_url) as caller:
        ready = await caller.start(audio={"encoding": encoding, "sample_rate": 8000})
        await caller.send("text", text="hello")
        frame = await caller.until_audio()

        assert {"encoding": encoding, "sample_rate": 8000, "frame_ms": 20} == ready["audio"]
        assert 160 == len(frame)


async def test_the_output_may_have_a_format_of_its_own() -> None:
    async with running() as server, calling(server.ws_url) as caller:
        await caller.start(output={"encoding": "pcm_s16le", "sample_rate": 48000})
        await caller.send("text", text="hello")

        assert 1920 == len(await caller.until_audio())


async def test_the_small_messages_are_answered() -> None:
    async with running() as server, calling(server.ws_url) as caller:
        await caller.start()
        await caller.send("ping")
        pong = await caller.until("pong")
        await caller.send("dtmf", digit="5")
        await caller.send("playout", played_ms=120.5)
        await caller.send("interrupt")
        await caller.send("ping")
        await caller.until("pong")

        assert {"type": "pong"} == pong
        assert [] == [message for message in caller.messages if message["type"] == "error"]


async def test_interrupt_cuts_the_reply() -> None:
    async with running(tts={"options": {"duration_ms": 5000}}) as server, calling(server.ws_url) as caller:
        await caller.start()
        await caller.send("text", text="tell me a long story")
        await caller.until_audio()
        await caller.send("interrupt")
        done = await caller.until("reply", event="done")
        await caller.send("ping")
        await caller.until("pong")

        assert done["interrupted"]
        assert "clear" in [message["type"] for message in caller.messages]


# --- what is not a start ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "named"),
    [
        ('{"type": "text", "text": "hi"}', "text before start"),
        ('{"type": "hello"}', "unknown type"),
        ('{"audio": {}}', "type is missing"),
        ("{nonsense", "not JSON"),
        ("[1, 2]", "not an object"),
        ('{"type": "start"}', "start.audio"),
        ('{"type": "start", "audio": {"encoding": "mp3", "sample_rate": 8000}}', "start.audio.encoding"),
        ('{"type": "start", "audio": {"encoding": "mulaw", "sample_rate": 16000}}', "sample_rate of mulaw is 8000"),
        (b"\0\0", "binary before start"),
    ],
)
async def test_a_bad_first_message_is_named_and_closes_with_4400(first: str | bytes, named: str) -> None:
    async with running() as server, unharmed(server), calling(server.ws_url) as caller:
        await caller.socket.send(first)
        error, code = await refusal(caller)

        assert 4400 == code
        assert {"type", "code", "message", "retryable", "fatal"} == error.keys()
        assert named in error["message"]
        assert error["fatal"]


async def test_a_client_that_does_not_start_is_closed_with_4408() -> None:
    async with running(limits={"start_within": 0.1}) as server, unharmed(server), calling(server.ws_url) as caller:
        error, code = await refusal(caller)

        assert (4408, "timeout") == (code, error["code"])


@pytest.mark.parametrize("huge", ["x" * (1 << 20) + "x", b"x" * (1 << 20) + b"x"])
async def test_a_first_message_over_a_mebibyte_is_closed_with_4413(huge: str | bytes) -> None:
    async with running() as server, unharmed(server), calling(server.ws_url) as caller:
        await caller.socket.send(huge)
        _, code = await refusal(caller)

        assert 4413 == code


# --- who may connect ----------------------------------------------------------------------------------------------

KEY = "a-key-for-tests"


async def test_without_the_credential_a_socket_is_closed_with_4401() -> None:
    async with running(auth={"api_keys": [KEY]}) as server:
        for options in ({}, {"additional_headers": {"Authorization": "Bearer wrong-wrong"}}):
            async with calling(server.ws_url, **options) as caller:
                error, code = await refusal(caller)

                assert (4401, "unauthorized") == (code, error["code"])


async def test_the_credential_may_stand_in_the_header_the_query_or_the_subprotocol() -> None:
    async with running(auth={"api_keys": [KEY]}) as server:
        header = {"additional_headers": {"Authorization": f"Bearer {KEY}"}}
        async with calling(server.ws_url, **header) as caller:
            assert await caller.start()
        async with calling(f"{server.ws_url}?token={KEY}") as caller:
            assert await caller.start()
        async with calling(server.ws_url, subprotocols=["bearer", KEY]) as caller:
            assert await caller.start()
            assert "bearer" == caller.socket.subprotocol


async def test_a_foreign_web_site_cannot_open_a_socket() -> None:
    async with running() as server, calling(server.ws_url, origin="https://evil.example") as caller:
        _, code = await refusal(caller)

        assert 4401 == code


async def test_a_page_of_this_machine_may_open_a_socket() -> None:
    async with running() as server, calling(server.ws_url, origin="http://localhost:3000") as caller:
        assert await caller.start()


# --- a session made before ----------------------------------------------------------------------------------------


async def make_session(server: RunningServer, body: object = None, **options: Any) -> dict[str, Any]:
    async with httpx2.AsyncClient(base_url=server.base_url, **options) as http:
        made = await http.post("/v1/sessions", json=body or {})

        assert 201 == made.status_code
        return dict(made.json())


async def test_a_session_that_was_made_is_connected_to_by_its_token() -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with running(auth={"api_keys": [KEY]}) as server:
        made = await make_session(server, {"greeting": "welcome"}, headers=headers)
        async with calling(f"{made['ws_url']}?token={made['token']}") as caller:
            ready = await caller.start(session_id=made["id"])
            done = await caller.until("reply", event="done")

            assert made["id"] == ready["session_id"]
            assert made["resume_token"] == ready["resume_token"]
            assert "welcome" == done["text"]


async def test_a_session_that_is_not_there_is_4404() -> None:
    async with running() as server, unharmed(server), calling(server.ws_url) as caller:
        await caller.send("start", audio=PCM_16K, session_id="nobody")
        error, code = await refusal(caller)

        assert (4404, "session_not_found") == (code, error["code"])


async def test_a_second_client_of_a_session_is_4409() -> None:
    async with running() as server:
        made = await make_session(server)
        async with calling(server.ws_url) as first, calling(server.ws_url) as second:
            await first.start(session_id=made["id"])
            await second.send("start", audio=PCM_16K, session_id=made["id"])
            error, code = await refusal(second)

            assert (4409, "session_already_active") == (code, error["code"])
            assert "still here" == (await first.converse("still here"))["text"]


async def test_a_session_nobody_connects_to_expires() -> None:
    async with running(limits={"connect_within": 1}) as server:
        made = await make_session(server)
        await server.edge.calls.wait_empty(5)
        async with calling(server.ws_url) as caller:
            await caller.send("start", audio=PCM_16K, session_id=made["id"])
            _, code = await refusal(caller)

            assert 4404 == code


async def test_the_token_of_one_session_does_not_open_another() -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with running(auth={"api_keys": [KEY]}) as server:
        one, other = await make_session(server, headers=headers), await make_session(server, headers=headers)
        async with calling(f"{server.ws_url}?token={one['token']}") as caller:
            await caller.send("start", audio=PCM_16K, session_id=other["id"])
            _, code = await refusal(caller)

            assert 4401 == code


# --- room ---------------------------------------------------------------------------------------------------------


async def test_a_full_server_closes_with_4503_and_takes_the_next_when_there_is_room() -> None:
    async with running(limits={"max_sessions": 1}) as server:
        async with calling(server.ws_url) as first, calling(server.ws_url) as second:
            await first.start()
            await second.send("start", audio=PCM_16K)
            error, code = await refusal(second)
            await first.send("stop")
            await first.until_closed()

            assert (4503, "capacity", True) == (code, error["code"], error["retryable"])
        async with calling(server.ws_url) as third:
            assert await third.start()


async def test_a_caller_past_its_rate_is_closed_with_4429() -> None:
    async with running(limits={"starts_per_minute": 1}) as server:
        async with calling(server.ws_url) as first:
            await first.start()
        async with calling(server.ws_url) as second:
            await second.send("start", audio=PCM_16K)
            _, code = await refusal(second)

            assert 4429 == code


# --- bad input in a session ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ('{"type": "hello"}', "unknown type"),
        ("{nonsense", "not JSON"),
        ('{"type": "text"}', "text.text"),
        ('{"type": "dtmf", "digit": "12"}', "dtmf.digit"),
        ('{"type": "playout", "played_ms": -1}', "playout.played_ms"),
        ('{"type": "start", "audio": {"encoding": "alaw", "sample_rate": 8000}}', "has started"),
        (json.dumps({"type": "text", "text": "a" * 1_000_000}), "text.text"),
    ],
)
async def test_a_bad_message_is_an_error_and_the_session_goes_on(bad: str, named: str) -> None:
    async with running(AT_ONCE) as server, unharmed(server), calling(server.ws_url) as caller:
        await caller.start()
        await caller.socket.send(bad)
        error = await caller.until("error")
        done = await caller.converse("go on")

        assert named in error["message"]
        assert ("invalid_input", False, False) == (error["code"], error["retryable"], error["fatal"])
        assert "go on" == done["text"]


@pytest.mark.parametrize("huge", ["x" * (1 << 20) + "x", b"x" * (1 << 20) + b"x"])
async def test_a_message_over_a_mebibyte_is_closed_with_4413(huge: str | bytes) -> None:
    async with running() as server, unharmed(server), calling(server.ws_url) as caller:
        await caller.start()
        await caller.socket.send(huge)
        code = await caller.until_closed()

        assert 4413 == code
        assert caller.messages[-1]["fatal"]


async def test_audio_may_be_cut_anywhere_even_inside_a_sample() -> None:
    async with running(AT_ONCE) as server, unharmed(server), calling(server.ws_url) as caller:
        await caller.start()
        pcm = voice(600) + silence(2500)
        for at in range(0, len(pcm), 641):
            await caller.socket.send(pcm[at : at + 641])
        await caller.socket.send(b"")
        transcript = await caller.until("transcript", final=True)

        assert transcript["text"]


async def test_a_flood_of_messages_is_closed_with_4429() -> None:
    async with (
        running(limits={"messages_per_second": 5}) as server,
        unharmed(server),
        calling(server.ws_url) as caller,
    ):
        await caller.start()
        for _ in range(60):
            await caller.send("ping")

        assert 4429 == await caller.until_closed()


# --- clients that misbehave ---------------------------------------------------------------------------------------


async def test_a_client_that_vanishes_in_mid_reply_leaves_nothing_behind() -> None:
    async with running(AT_ONCE, tts={"options": {"duration_ms": 10000}}) as server:
        caller_socket = None
        before = len(asyncio.all_tasks())
        async with calling(server.ws_url) as caller:
            await caller.start()
            await caller.send("text", text="a long story")
            await caller.until_audio()
            caller_socket = caller.socket
            caller_socket.transport.abort()
        await server.edge.calls.wait_empty(5)
        await until_quiet(server)

        assert 0 == len(server.edge.calls)
        assert before == len(asyncio.all_tasks())


async def test_a_client_that_stops_reading_is_cut_off_and_others_do_not_notice() -> None:
    limits = {"stalled_after": 0.3}
    async with running(AT_ONCE, limits=limits, tts={"options": {"duration_ms": 60000}}) as server:
        # 48 kHz and small buffers, so that the pipe is soon full.
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.setblocking(False)  # noqa: FBT003 - the standard library's signature
        host, port = server.base_url.removeprefix("http://").split(":")
        await asyncio.get_running_loop().sock_connect(deaf, (host, int(port)))
        async with calling(server.ws_url) as other:
            await other.start()
            async with calling(server.ws_url, sock=deaf) as caller:
                await caller.start(output={"encoding": "pcm_s16le", "sample_rate": 48000})
                caller.socket.transport.pause_reading()
                await caller.send("text", text="a long story")
                (stalled,) = [call for call in server.edge.calls.all() if call.turns or call.session is not None][1:]
                async with asyncio.timeout(20):
                    while stalled in server.edge.calls.all():
                        await other.send("ping")
                        await other.until("pong")
                        await asyncio.sleep(0.02)
                caller.socket.transport.abort()
            await other.send("stop")

            assert 1000 == await other.until_closed()
            assert 0 == len(server.edge.calls)


# --- the server goes ----------------------------------------------------------------------------------------------


async def test_draining_ends_the_calls_with_their_reason() -> None:
    async with running(server={"shutdown_grace": 0}) as server, calling(server.ws_url) as caller:
        await caller.start()
        await server.edge.drain()
        code = await caller.until_closed()
        async with calling(server.ws_url) as late:
            await late.send("start", audio=PCM_16K)
            _, late_code = await refusal(late)

            assert {"type": "ended", "reason": "server_shutdown"} == caller.messages[-1]
            assert (1001, 4503) == (code, late_code)
