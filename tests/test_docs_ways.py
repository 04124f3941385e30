"""The ways that a reader of the documents goes, gone to their end: with real servers, agents and connections."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import re
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.caller import calling
from tests.documents import ROOT, commands_of, exports_of, files_of
from tests.providers.conformance import test_tts
from tests.readers import LOG_LINE, defined_by, run_command, save_files
from tests.server import running, serving

README = ROOT / "README.md"
TUTORIAL = ROOT / "docs" / "tutorial.md"
NEW_PROVIDER = ROOT / "docs" / "how-to-add-a-provider.md"
TURN_TAKING = ROOT / "docs" / "how-to-tune-turn-taking.md"
RESUME = ROOT / "docs" / "how-to-resume.md"


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@asynccontextmanager
async def agent_of(page: Path, app: str, folder: Path) -> AsyncIterator[str]:
    """An agent that a page has its reader save, started as the page says. Its URL."""
    save_files(page, folder)
    (command,) = [each for each in commands_of(page) if each.program == "uvicorn" and app in each.arguments]
    port = str(free_port())
    words = [port if word == "8090" else word for word in command.arguments[1:]]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "uvicorn",
        *words,
        cwd=folder,
        env=os.environ | command.environment,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        async for line in process.stderr:
            if b"running on" in line:
                break
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.timeout(120)  # two servers and a call, with real models
async def test_the_tutorial_leads_to_a_call_with_ones_own_agent(tmp_path: Path) -> None:
    (talk,) = [each for each in commands_of(TUTORIAL) if "--out" in each.arguments]
    async with agent_of(TUTORIAL, "agent:app", tmp_path) as url:
        settings = {"BELUGA_AGENT__PROVIDER": "webhook", "BELUGA_AGENT__URL": url}
        with serving(settings) as server:
            code, output = await run_command(talk, tmp_path, "--url", server.ws_url)
            turns = [json.loads(line) for line in server.log().splitlines() if '"event": "turn"' in line]

    assert 0 == code, output
    assert "agent  Hello!" in output
    assert re.search(r"^you    .*tried", output, re.IGNORECASE | re.MULTILINE)
    assert re.search(r"^agent  You said: .*tried", output, re.IGNORECASE | re.MULTILINE)
    assert re.search(r"endpoint \d+ · stt \d+ · agent \d+ · tts \d+ · response \d+ ms", output)
    assert LOG_LINE | {f"{stage}_ms" for stage in ("endpoint", "stt", "agent", "tts", "response")} == set(turns[0])


@asynccontextmanager
async def call_to(url: str, secret: str | None = None) -> AsyncIterator[Any]:
    agent = {"provider": "webhook", "url": url} | ({"secret": secret} if secret else {})
    async with running(agent=agent) as server, calling(server.ws_url) as caller:
        await caller.start()
        yield caller


async def test_the_agent_of_the_tutorial_hangs_up_after_its_last_word(tmp_path: Path) -> None:
    async with agent_of(TUTORIAL, "agent:app", tmp_path) as url, call_to(url) as caller:
        greeting = await caller.until("reply", event="done")
        done = await caller.converse("Goodbye then")
        ended = await caller.until("ended")

    assert "Hello! What can I do for you?" == greeting["heard_text"]
    assert "You said: Goodbye then" == done["heard_text"]
    assert "agent" == ended["reason"]


async def test_the_signed_agent_of_the_tutorial_answers_those_who_sign(tmp_path: Path) -> None:
    secret = exports_of(TUTORIAL)["BELUGA_AGENT__SECRET"]
    async with agent_of(TUTORIAL, "signed_agent:app", tmp_path) as url:
        async with call_to(url, secret) as caller:
            answered = await caller.converse("good morning")
            await caller.send("stop")
        async with httpx2.AsyncClient() as stranger:
            unsigned = await stranger.post(url, json={"type": "turn", "transcript": "good morning"})

    assert "You said: good morning" == answered["heard_text"]
    assert 401 == unsigned.status_code


async def test_the_agent_of_the_readme_works() -> None:
    namespace = defined_by(README, "agent.py")
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(namespace["app"]), base_url="http://agent") as client:
        greeting = await client.post("/", json={"type": "session.started"})
        reply = await client.post("/", json={"type": "turn", "transcript": "good morning"})
        ended = await client.post("/", json={"type": "session.ended"})
    deltas = [json.loads(data)["delta"] for data in re.findall(r"data: (\{.*\})", reply.text)]

    assert "Hello! What can I do for you?" == greeting.json()["text"]
    assert "You said: good morning " == "".join(deltas)
    assert reply.text.endswith("data: [DONE]\n\n")
    assert ended.status_code == 204


def test_the_agent_of_the_tutorial_has_twenty_lines() -> None:
    lines = [line for line in files_of(TUTORIAL)["agent.py"].splitlines() if line and not line.startswith("#")]

    assert len(lines) <= 20


async def test_the_careful_agent_orders_once_and_only_what_was_committed() -> None:
    draft = {"type": "turn", "transcript": "two teas", "preemptive": True, "turn_id": "1"}
    second = {"type": "turn", "transcript": "two teas please", "preemptive": True, "turn_id": "2", "replaces": "1"}
    late = {"type": "turn.committed", "turn_id": "1"}
    committed = {"type": "turn.committed", "turn_id": "2"}
    plain = {"type": "turn", "transcript": "a cake", "preemptive": False, "turn_id": "3"}
    namespace = defined_by(TURN_TAKING, "careful_agent.py")
    transport = httpx2.ASGITransport(namespace["app"])
    async with httpx2.AsyncClient(transport=transport, base_url="http://agent") as client:
        for asked in (draft, second, late, committed, plain):
            await client.post("/", json={"session_id": "s", **asked})

    assert ["two teas please", "a cake"] == namespace["orders"]


async def test_the_provider_of_the_page_passes_the_suite_of_its_kind() -> None:
    make = defined_by(NEW_PROVIDER, "morse_voice.py")["Morse"]
    suite = [test for name, test in vars(test_tts).items() if name.startswith("test_")]
    suite = [test for test in suite if list(inspect.signature(test).parameters) == ["tts"]]
    for test in suite:
        provider = make()
        await provider.warm_up()
        await test(provider)
        await provider.aclose()

    assert len(suite) >= 4


class CutLine:
    """A line to a server that can be cut: a relay on a port of its own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []
        self.calls = 0

    @property
    def connected(self) -> bool:
        return any(not writer.is_closing() for writer in self._writers)

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.calls += 1
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, to_server]
        await asyncio.gather(self._copy(reader, to_server), self._copy(from_server, writer), return_exceptions=True)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()


async def test_the_client_of_the_page_stays_in_its_call_when_the_line_is_cut() -> None:
    stay_in_call = defined_by(RESUME, "resuming_client.py")["stay_in_call"]
    microphone: asyncio.Queue[str] = asyncio.Queue()
    microphone.put_nowait('{"type": "text", "text": "a long story"}')
    shown: list[dict[str, Any]] = []
    heard = bytearray()
    async with running(tts={"options": {"duration_ms": 1500}}) as server:
        line = CutLine(int(server.base_url.rpartition(":")[2]))
        relay = await asyncio.start_server(line.relay, "127.0.0.1", 0)

        def play(pcm: bytes) -> None:
            before = len(heard)
            heard.extend(pcm)
            if before < 16_000 <= len(heard):
                line.cut()

        def show(message: dict[str, Any]) -> None:
            shown.append(message)
            if message["type"] == "reply" and message["event"] == "done":
                microphone.put_nowait('{"type": "stop"}')

        async with relay:
            url = f"ws://127.0.0.1:{relay.sockets[0].getsockname()[1]}/v1/ws"
            reason = await stay_in_call(url, microphone, play, show)

    readies = [message for message in shown if message["type"] == "ready"]
    (done,) = [message for message in shown if message["type"] == "reply" and message["event"] == "done"]
    assert "client" == reason
    assert 2 == line.calls == len(readies)
    assert 1 == len({message["session_id"] for message in readies})
    assert ("a long story", False) == (done["heard_text"], done["interrupted"])


async def test_the_client_of_the_page_gives_up_where_there_is_nothing_to_resume() -> None:
    stay_in_call = defined_by(RESUME, "resuming_client.py")["stay_in_call"]
    async with running() as server, calling(server.ws_url) as other:
        shown: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        calls = asyncio.create_task(stay_in_call(server.ws_url, asyncio.Queue(), lambda _: None, shown.put_nowait))
        ready = await shown.get()
        await other.start(resume=ready["resume_token"])
        reason = await calls

    assert reason.startswith("close code 4409")
