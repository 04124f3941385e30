"""A connection is lost, or only seems to live, and another one takes the session over. Over a real server."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed

from tests.caller import PCM_16K, Caller, calling
from tests.server import RunningServer, running

STORY_MS = 1_200
LEAD_MS = 200
"""What is sent ahead of the clock, at most, and may be sent again."""


@asynccontextmanager
async def storyteller(grace: str = "30s", **tables: Any) -> AsyncIterator[RunningServer]:
    env = {"BELUGA_SESSION__RESUME_GRACE": grace}
    async with running(env, tts={"options": {"duration_ms": STORY_MS}}, **tables) as server, asyncio.timeout(20):
        yield server


async def drop(caller: Caller) -> None:
    caller.socket.transport.abort()
    await caller.socket.wait_closed()


async def until_held(server: RunningServer) -> None:
    """Until the server has noticed that the connection is gone."""
    (call,) = server.edge.calls.all()
    assert call.jack is not None
    async with asyncio.timeout(5):
        while call.jack._plug is not None:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0.005)


async def into_a_reply(caller: Caller, text: str = "a story") -> dict[str, Any]:
    """The reply has begun; what was heard of it so far is in ``audio``."""
    ready = await caller.start()
    await caller.send("text", text=text)
    for _ in range(15):
        caller.audio += await caller.until_audio()
    return ready


async def refused(server: RunningServer, **start: object) -> tuple[int, str, str]:
    """The close code, the error's code and its message."""
    async with calling(server.ws_url) as caller:
        with contextlib.suppress(ConnectionClosed):  # without a credential nobody waits for the first message
            await caller.send("start", **{"audio": PCM_16K, **start})
        code = await caller.until_closed()
        (error,) = caller.messages
        return code, error["code"], error["message"]


async def the_metrics(server: RunningServer) -> str:
    async with httpx2.AsyncClient(base_url=server.base_url) as http:
        return (await http.get("/metrics")).text


async def test_the_rest_of_a_reply_that_was_cut_off_comes_over_the_next_connection() -> None:
    async with storyteller() as server:
        async with calling(server.ws_url) as first:
            ready = await into_a_reply(first)
            await drop(first)
        await until_held(server)
        held = 'session_active{transport="websocket"} 1.0' in await the_metrics(server)
        await asyncio.sleep(STORY_MS / 1000)  # long enough for the whole reply, were it not held
        async with calling(server.ws_url) as second:
            again = await second.start(resume=ready["resume_token"])
            state = await second.until("state")
            done = await second.until("reply", event="done")
            (call,) = server.edge.calls.all()
            history = call.active_session().history
            heard_ms = (len(first.audio) + len(second.audio)) / 32

            assert held
            assert ready["session_id"] == again["session_id"]
            assert ready["resume_token"] != again["resume_token"]
            assert ["ready", "state"] == [message["type"] for message in second.messages[:2]]
            assert "speaking" == state["state"]
            assert ("a story", False) == (done["heard_text"], done["interrupted"])
            assert STORY_MS <= heard_ms <= STORY_MS + LEAD_MS
            assert ["a story", "a story"] == [message.text for message in history]
            assert "the next" == (await second.converse("the next"))["heard_text"]


async def test_what_happened_while_nobody_was_connected_is_told_afterwards() -> None:
    async with storyteller() as server:
        async with calling(server.ws_url) as first:
            ready = await first.start()
            await drop(first)
        await until_held(server)
        (call,) = server.edge.calls.all()
        await call.active_session().process_transcript("say this")
        async with calling(server.ws_url) as second:
            await second.start(resume=ready["resume_token"], session_id=ready["session_id"])
            transcript = await second.until("transcript", final=True)
            done = await second.until("reply", event="done")

            assert ("say this", "say this") == (transcript["text"], done["heard_text"])


async def test_a_connection_that_still_lives_is_taken_over_from() -> None:
    async with storyteller() as server, calling(server.ws_url) as first, calling(server.ws_url) as second:
        ready = await into_a_reply(first)
        await second.start(resume=ready["resume_token"])
        code = await first.until_closed()
        done = await second.until("reply", event="done")

        assert (4409, "session_already_active") == (code, first.messages[-1]["code"])
        assert "a story" == done["heard_text"]
        assert "still here" == (await second.converse("still here"))["text"]
        await second.send("stop")
        assert 1000 == await second.until_closed()
        assert 0 == len(server.edge.calls)


async def test_a_token_is_good_for_one_time() -> None:
    async with storyteller() as server, calling(server.ws_url) as first, calling(server.ws_url) as second:
        ready = await first.start()
        again = await second.start(resume=ready["resume_token"])
        stolen = await refused(server, resume=ready["resume_token"])

        assert (4404, "session_not_found", "there is nothing to resume") == stolen
        assert "not disturbed" == (await second.converse("not disturbed"))["text"]
        async with calling(server.ws_url) as third:
            assert await third.start(resume=again["resume_token"])


async def test_two_who_come_at_once_with_one_token_are_one_too_many() -> None:
    async with storyteller() as server, calling(server.ws_url) as first:
        ready = await first.start()
        async with calling(server.ws_url) as one, calling(server.ws_url) as other:
            for caller in (one, other):
                await caller.send("start", audio=PCM_16K, resume=ready["resume_token"])
            kinds = {json.loads(await caller.socket.recv())["type"] for caller in (one, other)}

            assert {"ready", "error"} == kinds


@pytest.mark.parametrize("token", ["", "nonsense", "schlüssel"])
async def test_an_unknown_token_is_4404(token: str) -> None:
    async with storyteller() as server, calling(server.ws_url) as caller:
        await caller.start()

        assert (4404, "session_not_found", "there is nothing to resume") == await refused(server, resume=token)


async def test_a_token_of_another_session_or_of_one_nobody_connected_to_is_4404() -> None:
    async with storyteller() as server, calling(server.ws_url) as caller:
        ready = await caller.start()
        async with httpx2.AsyncClient(base_url=server.base_url) as http:
            made = (await http.post("/v1/sessions", json={})).json()

        for start in (
            {"resume": ready["resume_token"], "session_id": made["id"]},
            {"resume": made["resume_token"]},
        ):
            assert 4404 == (await refused(server, **start))[0]


async def test_a_token_does_not_replace_the_credential() -> None:
    key = "a-key-for-tests"
    async with storyteller(auth={"api_keys": [key]}) as server, calling(f"{server.ws_url}?token={key}") as caller:
        ready = await caller.start()
        async with httpx2.AsyncClient(base_url=server.base_url, headers={"Authorization": f"Bearer {key}"}) as http:
            other = (await http.post("/v1/sessions", json={})).json()

        assert 4401 == (await refused(server, resume=ready["resume_token"]))[0]
        async with calling(f"{server.ws_url}?token={other['token']}") as thief:
            await thief.send("start", audio=PCM_16K, resume=ready["resume_token"])

            assert 4401 == await thief.until_closed()


async def test_the_encoding_may_change_and_the_sample_rate_may_not() -> None:
    rate = {"encoding": "pcm_s16le", "sample_rate": 8000}
    async with storyteller() as server, calling(server.ws_url) as first, calling(server.ws_url) as second:
        ready = await first.start(audio=rate)
        code, _, message = await refused(server, resume=ready["resume_token"])
        _, _, of_output = await refused(server, resume=ready["resume_token"], audio=rate, output=PCM_16K)
        again = await second.start(resume=ready["resume_token"], audio={"encoding": "mulaw", "sample_rate": 8000})
        await second.send("text", text="hello")

        assert 4400 == code
        assert "start.audio.sample_rate: Input should be 8000, as before the session was resumed" == message
        assert "start.output.sample_rate" in of_output
        assert "mulaw" == again["audio"]["encoding"]
        assert 160 == len(await second.until_audio())


async def test_after_the_grace_the_session_has_ended_and_nothing_is_left() -> None:
    async with storyteller(grace="100ms") as server:
        before = len(asyncio.all_tasks())
        async with calling(server.ws_url) as first:
            ready = await into_a_reply(first)
            await drop(first)
        await server.edge.calls.wait_empty(5)
        stale = await refused(server, resume=ready["resume_token"])
        async with asyncio.timeout(5):
            while len(asyncio.all_tasks()) > before:  # noqa: ASYNC110 - nobody is told
                await asyncio.sleep(0.01)

        assert 4404 == stale[0]
        assert 'session_stopped_total{reason="client",transport="websocket"} 1.0' in await the_metrics(server)


async def test_without_a_grace_a_lost_session_ends_at_once() -> None:
    async with storyteller(grace="0") as server:
        async with calling(server.ws_url) as first:
            ready = await into_a_reply(first)
            await drop(first)
        await server.edge.calls.wait_empty(5)

        assert 0 == len(server.edge.calls)
        assert 4404 == (await refused(server, resume=ready["resume_token"]))[0]


async def test_a_session_that_waits_is_ended_like_any_other() -> None:
    async with storyteller() as server:
        async with calling(server.ws_url) as first:
            ready = await first.start()
            await drop(first)
        await until_held(server)
        async with httpx2.AsyncClient(base_url=server.base_url) as http:
            deleted = await http.delete(f"/v1/sessions/{ready['session_id']}")

        assert 204 == deleted.status_code
        assert 0 == len(server.edge.calls)


async def test_sessions_that_wait_for_their_client_make_room_for_new_ones() -> None:
    async with storyteller(limits={"max_sessions": 2}) as server:
        tokens = []
        for _ in range(2):
            async with calling(server.ws_url) as caller:
                tokens.append((await caller.start())["resume_token"])
                await drop(caller)
            async with asyncio.timeout(5):
                while server.edge.calls.taken:  # noqa: ASYNC110 - nobody is told
                    await asyncio.sleep(0.005)
        async with calling(server.ws_url) as newcomer:
            await newcomer.start()
            await newcomer.converse()
            longest = await refused(server, resume=tokens[0])
            async with calling(server.ws_url) as back:
                await back.start(resume=tokens[1])

    assert (4404, "session_not_found") == longest[:2]
