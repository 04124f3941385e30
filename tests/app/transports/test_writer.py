from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import MutableMapping
from typing import Any

from app.transports.writer import Writer


class Rig:
    def __init__(self) -> None:
        self.items: deque[str | bytes] = deque()
        self.sent: list[MutableMapping[str, Any]] = []
        self.done = 0
        self.error: Exception | None = None
        self.writer = Writer(lambda: self.items.popleft() if self.items else None, self._done)

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if self.error is not None:
            raise self.error
        self.sent.append(message)

    def _done(self) -> None:
        self.done += 1


async def test_what_there_is_is_written_and_the_close_behind_it() -> None:
    rig = Rig()
    rig.items.extend(["text", b"bytes"])
    rig.writer.close(1000, "over")
    await rig.writer.write(rig.send)

    assert [
        {"type": "websocket.send", "text": "text"},
        {"type": "websocket.send", "bytes": b"bytes"},
        {"type": "websocket.close", "code": 1000, "reason": "over"},
    ] == rig.sent
    assert 2 == rig.done


async def test_it_waits_until_there_is_something() -> None:
    rig = Rig()
    writing = asyncio.create_task(rig.writer.write(rig.send))
    await asyncio.sleep(0)
    rig.items.append("late")
    rig.writer.wake()
    rig.writer.close(1001, "")
    await writing

    assert ["late", 1001] == [message.get("text", message.get("code")) for message in rig.sent]


async def test_the_first_close_stands() -> None:
    rig = Rig()
    before = rig.writer.closing
    rig.writer.close(1007, "first")
    rig.writer.close(1000, "second")
    await rig.writer.write(rig.send)

    assert (False, True) == (before, rig.writer.closing)
    assert [1007] == [message["code"] for message in rig.sent]


async def test_a_connection_that_is_gone_ends_it_quietly() -> None:
    for error in (OSError("gone"), RuntimeError("closed already")):
        rig = Rig()
        rig.items.append("text")
        rig.error = error
        await rig.writer.write(rig.send)

        assert [] == rig.sent
