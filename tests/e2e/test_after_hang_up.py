"""Callers whose network is gone in mid-reply: nothing of them is left in the server, and it costs nothing any more."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
import pytest

from tests.caller import calling as on_a_socket
from tests.rtc_caller import calling as on_a_peer_connection
from tests.server import QUICK, ServerHandle, running, serving

SETTINGS = {
    "BELUGA_TTS__OPTIONS": '{"duration_ms": 60000}',
    "BELUGA_SESSION__RESUME_GRACE": "0",
    "BELUGA_WEBRTC__ADDRESSES": "127.0.0.1",
}
CALLERS = 4
OBSERVED_S = 3.0


@asynccontextmanager
async def vanishing(base_url: str, callers: int) -> AsyncIterator[None]:
    """So many callers by each transport whose reply has begun; at the end of the block they are gone without a word."""
    async with AsyncExitStack() as stack:
        for _ in range(callers):
            peer = await stack.enter_async_context(on_a_peer_connection(base_url))
            await peer.join()
            await peer.until_message("ready")
            await peer.send("text", text="a long story")
            await peer.until_loud()
            stack.push_async_callback(peer.vanish)
            phone = await stack.enter_async_context(on_a_socket(base_url.replace("http", "ws") + "/v1/ws"))
            await phone.start()
            await phone.send("text", text="a long story")
            await phone.until_audio()
            stack.callback(phone.socket.transport.abort)
        yield


def timers() -> set[str]:
    """What is still to be called in this loop, but for what belongs to the server and not to a call."""
    scheduled: list[Any] = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined] # of the standard loop
    modules = {str(getattr(each._callback, "__module__", "")) for each in scheduled if not each.cancelled()}
    return {module for module in modules if module.split(".")[0] in {"app", "session", "providers", "aiortc", "aioice"}}


def threads() -> set[str]:
    """But for those of the loop's own pool, which is bounded."""
    return {each.name for each in threading.enumerate() if not each.name.startswith("asyncio_")}


@pytest.mark.timeout(120)
async def test_no_task_no_thread_and_no_timer_outlives_a_caller_who_vanished() -> None:
    async with running(SETTINGS) as server:
        async with vanishing(server.base_url, 1):
            pass
        await server.edge.calls.wait_empty(60)
        before, tasks, running_threads = timers(), len(asyncio.all_tasks()), threads()
        async with vanishing(server.base_url, 2):
            during = timers()
        await server.edge.calls.wait_empty(60)
        while len(asyncio.all_tasks()) > tasks or timers() - before:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0.05)

        assert during - before
        assert threads() <= running_threads


def cpu_s(server: ServerHandle) -> float:
    """Of all its threads. The kernel's clock of a process, to the nanosecond; ``times`` counts in hundredths."""
    return time.clock_gettime((~server.process.pid << 3) | 2)


async def load(server: ServerHandle) -> float:
    """How much of a core the server takes meanwhile."""
    loop = asyncio.get_running_loop()
    began_s, before_s = loop.time(), cpu_s(server)
    await asyncio.sleep(OBSERVED_S)
    return (cpu_s(server) - before_s) / (loop.time() - began_s)


async def until_nobody_calls(base_url: str) -> None:
    async with httpx2.AsyncClient(base_url=base_url) as http:
        while (await http.get("/v1/sessions")).json()["sessions"]:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0.1)


@pytest.fixture
def server() -> Iterator[ServerHandle]:
    with serving(QUICK | SETTINGS) as started:
        yield started


@pytest.mark.timeout(120)
async def test_callers_who_vanished_cost_no_processor_time(server: ServerHandle) -> None:
    async with vanishing(server.base_url, 1):
        pass
    await until_nobody_calls(server.base_url)
    before = await load(server)
    async with vanishing(server.base_url, CALLERS):
        during = await load(server)
    await until_nobody_calls(server.base_url)
    after = await load(server)

    assert after < before + 0.01 < during
