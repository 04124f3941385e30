"""A webhook in a process of its own, which a test may kill. ``python -m tests.e2e.agent_process [PORT]`` runs one."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.providers.agent.http_server import Exchange, serving

__all__ = ("AgentProcess", "agent_process")

ROOT = Path(__file__).parents[2]


class AgentProcess:
    """Answers a turn, never answers *wait*, and begins to answer *story*, for ever. Each turn is told as it comes."""

    def __init__(self) -> None:
        self.url = ""
        self._port = 0
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """On the same port as before."""
        command = [sys.executable, "-m", "tests.e2e.agent_process", str(self._port)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.url = self._line()
        self._port = int(self.url.split(":")[2].partition("/")[0])

    async def until_asked(self, transcript: str) -> None:
        while await asyncio.to_thread(self._line) != transcript:
            pass

    def kill(self) -> None:
        """SIGKILL: no goodbye, the kernel closes its sockets."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def _line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the agent ended by itself"
        return line.strip()


@contextmanager
def agent_process() -> Iterator[AgentProcess]:
    agent = AgentProcess()
    agent.start()
    try:
        yield agent
    finally:
        agent.kill()


async def _answer(exchange: Exchange) -> None:
    body = exchange.received.json()
    if body["type"] != "turn":
        await exchange.whole(204, "", "")
        return
    _tell(body["transcript"])
    if body["transcript"] == "wait":
        await exchange.gone()
    elif body["transcript"] == "story":
        await exchange.head(200, "text/event-stream")
        await exchange.chunk('data: {"delta": "Once upon a time. There "}\n\n')
        await exchange.gone()
    else:
        await exchange.whole(200, "application/json", json.dumps({"text": "All is well."}))


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def _serve(port: int) -> None:
    async with serving(_answer, port) as server:
        _tell(server.url)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
