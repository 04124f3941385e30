"""`far_peer.py` in a process, perhaps in a network namespace."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from typing import Any


class FarPeer:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(await self._process.stdout.readline())

    def write(self, value: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(value).encode() + b"\n")

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


@contextlib.asynccontextmanager
async def far_peer(role: str, *arguments: str, namespace: str | None = None) -> AsyncIterator[FarPeer]:
    inside = [] if namespace is None else ["ip", "netns", "exec", namespace]
    process = await asyncio.create_subprocess_exec(
        *(*inside, sys.executable, "-m", "tests.app.transports.ice.far_peer", role, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    peer = FarPeer(process)
    try:
        yield peer
    finally:
        await peer.kill()
