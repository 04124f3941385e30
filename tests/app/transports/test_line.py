from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

from app.transports.line import Line
from app.wire.messages import AudioFormat
from session.notices import Ended, EndReason, ReplyCleared

FRAME = b"\1\0" * 160


class Client:
    """What a web server's ``send`` is to a line; ``open`` says whether the client reads."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.aborted = False
        self.dropped = 0

    async def send(self, message: MutableMapping[str, Any]) -> None:
        await self.open.wait()
        if self.aborted:
            raise OSError
        self.sent.append({key: value for key, value in message.items() if key != "type"})

    def abort(self) -> None:
        self.aborted = True
        self.open.set()

    def drop(self, frames: int) -> None:
        self.dropped += frames

    def line(self, encoding: str = "pcm_s16le", stalled_after_s: float = 10) -> Line:
        output = AudioFormat(encoding, 8000)  # type: ignore[arg-type] # the test passes only those that exist
        return Line(output, stalled_after_s=stalled_after_s, abort=self.abort, dropped=self.drop)


async def test_a_line_writes_until_it_is_closed() -> None:
    client = Client()
    line = client.line()
    line.send("hello")
    line.send_audio(FRAME)
    line.close(1000, "client")
    line.send("too late")
    line.send_audio(FRAME)
    await line.write(client.send)

    assert [{"text": "hello"}, {"bytes": FRAME}, {"code": 1000, "reason": "client"}] == client.sent
    assert line.closing


async def test_a_line_waits_for_what_comes() -> None:
    client = Client()
    line = client.line()
    writing = asyncio.create_task(line.write(client.send))
    await asyncio.sleep(0)
    line.send("later")
    line.close(1000, "")
    await writing

    assert {"text": "later"} == client.sent[0]


async def test_audio_is_encoded_as_agreed() -> None:
    client = Client()
    line = client.line("mulaw")
    line.send_audio(bytes(320))
    line.close(1000, "")
    await line.write(client.send)

    assert {"bytes": b"\xff" * 160} == client.sent[0]


async def test_ended_is_the_last_message_and_its_reason_the_last_word() -> None:
    client = Client()
    line = client.line()
    line.tell(Ended(EndReason.SERVER_SHUTDOWN))
    await line.write(client.send)

    assert {"type": "ended", "reason": "server_shutdown"} == json.loads(client.sent[0]["text"])
    assert {"code": 1001, "reason": "server_shutdown"} == client.sent[1]


async def test_clearing_drops_the_audio_that_waits() -> None:
    client = Client()
    line = client.line()
    line.send_audio(FRAME)
    line.clear()
    line.tell(ReplyCleared("1"))
    line.close(1000, "")
    await line.write(client.send)

    assert [{"text": '{"type":"clear"}'}, {"code": 1000, "reason": ""}] == client.sent


async def test_a_client_that_does_not_read_loses_the_oldest_audio_and_it_is_counted() -> None:
    client = Client()
    client.open.clear()
    line = client.line()
    writing = asyncio.create_task(line.write(client.send))
    line.send_audio(FRAME)
    await asyncio.sleep(0)
    for _ in range(103):
        line.send_audio(FRAME)
    client.open.set()
    line.close(1000, "")
    await writing

    assert 3 == client.dropped
    assert 102 == len(client.sent)


async def test_a_client_that_does_not_read_for_long_is_cut_off() -> None:
    client = Client()
    client.open.clear()
    line = client.line(stalled_after_s=-1)
    writing = asyncio.create_task(line.write(client.send))
    line.send_audio(FRAME)
    await asyncio.sleep(0)
    line.send_audio(FRAME)
    await writing

    assert client.aborted
    assert [] == client.sent
