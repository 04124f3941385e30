"""Thousands of short calls to one process, and everything that goes wrong in them: what is left behind afterwards?

Ten callers at a time speak a recorded sentence to a server with the embedded models. Some hang up in mid-sentence, some
in mid-reply, some come back; the agent answers, fails, hangs or talks nonsense; messages are broken, calls are never
connected, or deleted while they speak. After the first hundred and at the end, once all is quiet, the server's tasks,
threads, file descriptors and memory are counted. They must be the same, the memory within 5 %, but for the few threads
of Python's executor.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psutil
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from websockets.asyncio.client import ClientConnection, connect

from bench.lib import Server, print_table, running_server, write_json
from bench.recordings import BECKETT, caller
from providers.resample import Resampler

RATE_HZ = 16_000
FRAME_BYTES = RATE_HZ // 50 * 2
AT_ONCE = 10
WARM_UP = 100
LIMIT_S = 20.0
MEMORY_MAY_GROW = 0.05
EXECUTOR_THREADS = min(32, (os.cpu_count() or 1) + 4)
"""Python's own, that look up names and the like: they start as they are needed, and stay."""
FAULTS = ("500", "reset", "nonsense", "hang")


# --- the agent ----------------------------------------------------------------------------------------------------


async def answer(request: Request) -> Response:
    """As the session's metadata asks for."""
    body = await request.json()
    fault = body["metadata"].get("fault")
    if body["type"] != "turn":
        return Response(status_code=204)
    if fault == "500":
        return Response(status_code=500)
    if fault == "reset":
        raise ConnectionResetError  # the answer breaks off
    if fault == "nonsense":
        return Response("{", media_type="application/json")
    if fault == "hang":
        await asyncio.sleep(60)
    return PlainTextResponse("All right. Here is a somewhat longer answer, so that somebody can break into it.")


@contextmanager
def agent() -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    app = Starlette(routes=[Route("/", answer, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


# --- the callers --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Phone:
    socket: ClientConnection
    speech: bytes
    resume_token: str = ""
    session_id: str = ""

    async def start(self, **fields: object) -> None:
        await self.send("start", audio={"encoding": "pcm_s16le", "sample_rate": RATE_HZ}, **fields)
        ready = await self.until("ready")
        self.resume_token, self.session_id = ready["resume_token"], ready["session_id"]

    async def send(self, type_: str, **fields: object) -> None:
        await self.socket.send(json.dumps({"type": type_, **fields}))

    async def speak(self, share: float = 1.0) -> None:
        """The sentence, or the beginning of it, ten times as fast as people do."""
        for at in range(0, int(len(self.speech) * share), FRAME_BYTES):
            await self.socket.send(self.speech[at : at + FRAME_BYTES])
            await asyncio.sleep(0.002)

    async def until(self, type_: str, **fields: object) -> dict[str, Any]:
        async with asyncio.timeout(LIMIT_S):
            while True:
                data = await self.socket.recv()
                if isinstance(data, str):
                    message: dict[str, Any] = json.loads(data)
                    if message["type"] == type_ and fields.items() <= message.items():
                        return message

    async def until_audio(self) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not isinstance(await self.socket.recv(), bytes):
                pass

    async def stop(self) -> None:
        await self.send("stop")
        await self.until("ended")

    def vanish(self) -> None:
        self.socket.transport.abort()


class Callers:
    def __init__(self, server: Server, speech: bytes, rest: httpx2.AsyncClient) -> None:
        self._server = server
        self._speech = speech
        self._rest = rest
        self.kinds: dict[str, Callable[[], Awaitable[None]]] = {
            "answered": self.answered,
            "interrupts": self.interrupts,
            "vanishes in mid-sentence": self.vanishes_in_mid_sentence,
            "vanishes in mid-reply": self.vanishes_in_mid_reply,
            "comes back": self.comes_back,
            **{f"agent: {fault}": lambda fault=fault: self.agent_fails(fault) for fault in FAULTS},  # type: ignore[misc]
            "talks nonsense": self.talks_nonsense,
            "never connects": self.never_connects,
            "is deleted": self.is_deleted,
        }

    @asynccontextmanager
    async def phone(self) -> AsyncIterator[Phone]:
        async with connect(self._server.ws_url, compression=None, close_timeout=2) as socket:
            yield Phone(socket, self._speech)

    async def answered(self) -> None:
        async with self.phone() as phone:
            await phone.start()
            await phone.speak()
            await phone.until("reply", event="started")
            await phone.stop()

    async def interrupts(self) -> None:
        async with self.phone() as phone:
            await phone.start()
            await phone.speak()
            await phone.until_audio()
            await phone.send("interrupt")
            await phone.until("reply", event="done")
            await phone.stop()

    async def vanishes_in_mid_sentence(self) -> None:
        async with self.phone() as phone:
            await phone.start()
            await phone.speak(0.5)
            phone.vanish()

    async def vanishes_in_mid_reply(self) -> None:
        async with self.phone() as phone:
            await phone.start()
            await phone.speak()
            await phone.until_audio()
            phone.vanish()

    async def comes_back(self) -> None:
        async with self.phone() as phone:
            await phone.start()
            await phone.speak()
            await phone.until_audio()
            phone.vanish()
        async with self.phone() as again:
            await again.start(resume=phone.resume_token)
            await again.until_audio()
            await again.stop()

    async def agent_fails(self, fault: str) -> None:
        async with self.phone() as phone:
            await phone.start(metadata={"fault": fault})
            await phone.speak()
            await phone.until("error", code="agent_error")
            await phone.stop()

    async def talks_nonsense(self) -> None:
        async with self.phone() as phone:
            await phone.start()
            for text in ("{", '{"type": "nonsense"}', '{"type": "text"}', '{"type": "playout", "played_ms": -1}'):
                await phone.socket.send(text)
                await phone.until("error", code="invalid_input")
            await phone.socket.send(b"\x01")
            url = f"/v1/sessions/{phone.session_id}/say"
            (await self._rest.post(url, json={"text": "Hello.", "voice": "nobody"})).raise_for_status()
            await phone.until("error", code="tts_error")
            await phone.stop()

    async def never_connects(self) -> None:
        (await self._rest.post("/v1/sessions", json={})).raise_for_status()

    async def is_deleted(self) -> None:
        async with self.phone() as phone:
            await phone.start()
            await phone.speak()
            (await self._rest.delete(f"/v1/sessions/{phone.session_id}")).raise_for_status()
            await phone.until("ended", reason="deleted")


# --- what is left -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Left:
    calls: int
    tasks: int
    threads: int
    descriptors: int
    """Without the connections to the agent, one to three of which are kept for the next request."""
    memory_kb: int


async def measure(server: Server, callers: Callers, calls: int) -> Left:
    """Once nobody is connected any more, and what ended has been freed."""
    process = psutil.Process(server.pid)
    while json.loads(server.get("/v1/sessions"))["sessions"]:  # noqa: ASYNC110 - of another process
        await asyncio.sleep(0.2)
    # A connection to the agent is kept for 30 s, and closed when the next request is made. An agent may take 5 s to
    # hear that its session has ended, and what was freed is given back every 10 s.
    await asyncio.sleep(35)
    await callers.answered()
    await asyncio.sleep(12)
    return Left(
        calls,
        round(_metric(server, "event_loop_tasks")),
        process.num_threads(),
        process.num_fds() - len([each for each in process.net_connections() if each.raddr]),
        process.memory_full_info().uss // 1024,
    )


def _metric(server: Server, name: str) -> float:
    return sum(map(float, re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)", server.get("/metrics"), re.MULTILINE)))


async def soak(server: Server, calls: int, speech: bytes, chance: random.Random) -> tuple[list[Left], Counter[str]]:
    failures: Counter[str] = Counter()
    left: list[Left] = []
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as rest:
        callers = Callers(server, speech, rest)
        places = asyncio.Semaphore(AT_ONCE)

        async def one(kind: str) -> None:
            async with places:
                try:
                    await callers.kinds[kind]()
                except Exception as error:  # noqa: BLE001 - counted, told and not the end of the others
                    failures[f"{kind}: {type(error).__name__}"] += 1

        for done in range(0, calls, WARM_UP):
            kinds = [chance.choice(list(callers.kinds)) for _ in range(min(WARM_UP, calls - done))]
            await asyncio.gather(*map(one, kinds))
            if done % (5 * WARM_UP) == 0 or done + WARM_UP >= calls:
                left.append(await measure(server, callers, done + len(kinds)))
                print(left[-1], dict(failures), flush=True)
    return left, failures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    who = caller(BECKETT)
    convert = Resampler(who.rate_hz, RATE_HZ).process
    speech = convert(who.utterances[0].pcm + bytes(2 * who.rate_hz * 2), last=True)
    began_s = time.monotonic()
    settings = {
        "agent__provider": "webhook",
        "session__agent_timeout": "1s",
        "session__retry_delay": "100ms",
        "session__resume_grace": "1s",
        "limits__connect_within": "1s",
        "limits__starts_per_minute": "100000",
        "log__level": "error",
    }
    with agent() as url, running_server(agent__url=url, **settings) as server:
        chance = random.Random(arguments.seed)
        left, failures = asyncio.run(soak(server, arguments.calls, speech, chance))
    first, last = left[0], left[-1]
    names = ["calls", "tasks", "threads", "descriptors", "memory_kb"]
    print_table(names, [[getattr(each, name) for name in names] for each in (first, last)])
    print(f"\n{arguments.calls} calls in {time.monotonic() - began_s:.0f} s, not as meant: {dict(failures) or 'none'}")
    write_json(arguments.json, {"left": [{name: getattr(each, name) for name in names} for each in left]})
    more_threads = last.threads - first.threads
    same = (first.tasks, first.descriptors) == (last.tasks, last.descriptors) and more_threads <= EXECUTOR_THREADS
    if not same or last.memory_kb > first.memory_kb * (1 + MEMORY_MAY_GROW) or failures:
        sys.exit("something is left behind")


if __name__ == "__main__":
    main()
