from __future__ import annotations

import asyncio
import json
import signal
import socket

import httpx2
import psutil
import pytest

from app.main import create_app
from app.server import bind, configure, unusable_addresses
from app.settings import WebRtc, load
from tests import rtc_caller
from tests.caller import calling, silence
from tests.server import QUICK, ServerHandle, serving


def test_a_udp_port_that_is_taken_or_an_address_that_is_not_ours_is_one_line() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        (line,) = unusable_addresses(WebRtc(addresses=["127.0.0.1"], shared_port=port))
        (other,) = unusable_addresses(WebRtc(addresses=["203.0.113.7"]))

    assert line.startswith(f"webrtc.shared_port: 127.0.0.1:{port} given, cannot listen there")
    assert other.startswith("webrtc.addresses: 203.0.113.7")
    assert [] == unusable_addresses(WebRtc(addresses=["127.0.0.1"]))


def test_a_listener_has_a_small_buffer_and_does_not_delay() -> None:
    with bind("127.0.0.1", 0) as listener:
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * 64 * 1024
        assert 0 != listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        with pytest.raises(OSError, match="in use"):
            bind("127.0.0.1", listener.getsockname()[1])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (30, 60)),
        ({"BELUGA_SESSION__KEEP_ALIVE_INTERVAL": "5s"}, (5, 10)),
        ({"BELUGA_SESSION__ENABLE_KEEP_ALIVE": "false"}, (None, None)),
    ],
)
async def test_sockets_are_pinged_as_the_sessions_keep_alive_says(
    settings: dict[str, str], expected: tuple[float | None, float | None]
) -> None:
    app = await asyncio.to_thread(lambda: create_app(load(environment=QUICK | settings)))
    config = configure(app)

    assert expected == (config.ws_ping_interval, config.ws_ping_timeout)


async def test_a_process_serves_announces_itself_and_drains_when_asked_to_stop() -> None:
    with serving(QUICK | {"BELUGA_SERVER__SHUTDOWN_GRACE": "0"}) as server:
        async with httpx2.AsyncClient(base_url=server.base_url) as http, calling(server.ws_url) as caller:
            await caller.start()
            done = await caller.converse("hello from outside")
            ready = await http.get("/readyz")
            server.process.send_signal(signal.SIGTERM)
            code = await caller.until_closed()
        status = server.process.wait(10)

        assert "hello from outside" == done["heard_text"]
        assert 200 == ready.status_code
        assert f"Ready: {server.base_url}\n" == server.output[0]
        assert f"beluga-voice talk FILE.wav --url {server.ws_url}\n" in server.output[1]
        assert {"type": "ended", "reason": "server_shutdown"} == caller.messages[-1]
        assert (1001, 0) == (code, status)
        assert "Traceback" not in server.log()


async def draining(server: ServerHandle) -> str:
    """The first signal was heard."""
    server.process.send_signal(signal.SIGTERM)
    async with httpx2.AsyncClient(base_url=server.base_url) as http:
        while (await http.get("/readyz")).status_code == 200:
            pass
        return str((await http.get("/readyz")).json()["reason"])


async def test_a_second_signal_does_not_wait_for_the_calls() -> None:
    with serving(QUICK | {"BELUGA_SERVER__SHUTDOWN_GRACE": "1h"}) as server:
        async with calling(server.ws_url) as caller, rtc_caller.calling(server.base_url) as browser:
            await caller.start()
            await browser.join()
            await browser.until_message("ready")
            reason = await draining(server)
            server.process.send_signal(signal.SIGTERM)
            await caller.until_closed()
            ended = await browser.until_message("ended")

        assert "draining" == reason
        assert 0 == server.process.wait(10)
        assert {"type": "ended", "reason": "server_shutdown"} == caller.messages[-1] == ended
        assert "Traceback" not in server.log()


async def test_many_calls_that_vanish_leave_no_thread_and_no_connection() -> None:
    with serving(QUICK | {"BELUGA_SESSION__RESUME_GRACE": "0"}) as server:
        process = psutil.Process(server.process.pid)
        async with calling(server.ws_url) as caller:
            await caller.start()
            await caller.converse()
        threads = process.num_threads()
        for _ in range(10):
            async with calling(server.ws_url) as caller:
                await caller.start()
                await caller.send("text", text="a long story")
                await caller.until_audio()
                caller.socket.transport.abort()
        async with httpx2.AsyncClient(base_url=server.base_url) as http:
            while (await http.get("/v1/sessions")).json()["sessions"]:
                pass
        async with calling(server.ws_url) as caller:
            await caller.start()
            await caller.converse()
            connections = [each for each in process.net_connections() if each.status == psutil.CONN_ESTABLISHED]

            assert threads == process.num_threads()
            assert 2 >= len(connections)


async def test_the_log_is_json_away_from_a_terminal() -> None:
    with serving() as server:
        async with calling(server.ws_url) as caller:
            await caller.start()
            line = json.loads(server.log().splitlines()[0])

        assert ("info", "session started") == (line["level"], line["event"])


async def test_ten_minutes_of_silence_at_once_are_taken_and_nobody_else_notices() -> None:
    with serving() as server:
        process = psutil.Process(server.process.pid)
        async with calling(server.ws_url) as caller, calling(server.ws_url) as other:
            await caller.start()
            await other.start()
            before = process.memory_info().rss
            for _ in range(600):
                await caller.socket.send(silence(1000))
            answered = await other.converse("am I disturbed")
            done = await caller.converse("still there")

            assert ("am I disturbed", "still there") == (answered["text"], done["text"])
            assert process.memory_info().rss - before < 10 * 2**20
