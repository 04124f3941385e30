"""Real servers for tests: one in a process of its own, or one in the test's own event loop, on a free port."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from app.edge import Edge
from app.main import create_app
from app.server import bind, configure
from app.settings import load

__all__ = ("QUICK", "RunningServer", "ServerHandle", "running", "serving")

ROOT = Path(__file__).parents[1]

QUICK: dict[str, str] = {
    "BELUGA_STT__PROVIDER": "fixed",
    "BELUGA_TTS__PROVIDER": "tone",
    "BELUGA_TTS__OPTIONS": '{"duration_ms": 200}',
    "BELUGA_VAD__PROVIDER": "energy",
    "BELUGA_ECHO__PROVIDER": "none",
    "BELUGA_NOISE__PROVIDER": "none",
    "BELUGA_AGENT__PROVIDER": "echo",
}
"""Settings of a server that needs no model."""


@dataclass(frozen=True, slots=True)
class ServerHandle:
    """``output`` and ``log``: what the server has written so far to stdout and stderr."""

    base_url: str
    process: subprocess.Popen[str]
    output: list[str]
    log_file: Path

    @property
    def ws_url(self) -> str:
        return self.base_url.replace("http", "ws", 1) + "/v1/ws"

    def log(self) -> str:
        return self.log_file.read_text("utf-8")

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def serving(env: Mapping[str, str] = QUICK, arguments: Sequence[str] = ()) -> Iterator[ServerHandle]:
    """``beluga-voice serve`` as a process, ready when the block begins, gone when it ends."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BELUGA_")}
    command = [sys.executable, "-m", "app.cli", "serve", "--port", "0", *arguments]
    with tempfile.TemporaryDirectory() as folder, Path(folder, "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=inherited | dict(env), stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            yield _await_ready(process, Path(log.name))
        finally:
            _end(process)
            if process.stdout is not None:
                process.stdout.close()


def _end(process: subprocess.Popen[str]) -> None:
    """The first signal lets callers go on for a while, the second does not."""
    for stop, patience_s in ((process.terminate, 1), (process.terminate, 15), (process.kill, None)):
        stop()
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            continue
        return


def _await_ready(process: subprocess.Popen[str], log_file: Path) -> ServerHandle:
    output: list[str] = []
    for line in process.stdout or ():
        output.append(line)
        if len(output) == 2:
            url = re.search(r"http://\S+", output[0])
            assert url is not None
            return ServerHandle(url[0], process, output, log_file)
    raise AssertionError(f"the server ended before it was ready: {output} {log_file.read_text('utf-8')}")


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server in this event loop; ``edge`` is its inside."""

    base_url: str
    edge: Edge
    app: FastAPI

    @property
    def ws_url(self) -> str:
        return self.base_url.replace("http", "ws", 1) + "/v1/ws"


@asynccontextmanager
async def running(env: Mapping[str, str] | None = None, **tables: Any) -> AsyncIterator[RunningServer]:
    """``env`` is added to ``QUICK``; ``tables`` are settings as flags give them: ``limits={"max_sessions": 1}``."""
    # In a thread, as imports and look-ups on disk come before the event loop of a real server.
    app = await asyncio.to_thread(lambda: create_app(load(environment=QUICK | dict(env or {}), flags=tables)))
    edge: Edge = app.state.edge
    listener = bind("127.0.0.1", 0)
    server = uvicorn.Server(configure(app))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await edge.ready.wait()
        yield RunningServer(f"http://127.0.0.1:{listener.getsockname()[1]}", edge, app)
    finally:
        server.should_exit = True
        await serving
