"""The load for ``sessions.py``: up to hundreds of callers in one process that costs next to nothing.

Everything that a caller sends is built before the start: the frames of a conversation that goes round, masked with
zeros (as the protocol allows) so that all callers share them. One timer serves all, each caller at its own moment of
the 20 ms. Talks to its starter in lines: ``ready`` out, ``go`` in, the figures out, ``end`` in.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import numpy as np
import uvloop

from bench.recordings import TWO_CITIES, caller
from providers.resample import Resampler

FRAME_MS = 20
PHASES = 10
"""Callers send at ten moments of every 20 ms, not all at the same one."""

RATE_HZ = 16_000
FRAME_BYTES = RATE_HZ * FRAME_MS // 1000 * 2
SILENCE_MS = 2_500
SENTENCES = (6, 10, 7)  # of TWO_CITIES: 1.3 to 1.5 s
BINARY, TEXT, CLOSE, PING, PONG = 0x82, 0x81, 0x88, 0x89, 0x8A


@dataclass(frozen=True, slots=True)
class Talk:
    """What every caller says, over and over. ``over``: the frames that hold the last voiced sample of a sentence, and
    how many milliseconds of the frame come after it."""

    frames: tuple[bytes, ...]
    begins: frozenset[int] = frozenset()
    over: dict[int, float] = field(default_factory=dict)


def client_frame(opcode: int, payload: bytes) -> bytes:
    """RFC 6455 § 5.2, with a mask of zeros: the payload stays as it is."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + size.to_bytes(2, "big")
    return bytes([opcode]) + length + bytes(4) + payload


def talk_of(mode: str) -> Talk:
    who = caller(tuple(TWO_CITIES[at] for at in SENTENCES))
    convert = Resampler(who.rate_hz, RATE_HZ).process
    quiet = np.frombuffer(convert(who.room_tone, last=True), np.int16)
    silence = np.resize(quiet, RATE_HZ * SILENCE_MS // 1000).tobytes()
    if mode != "speech":
        return Talk(_frames(silence))
    pcm = b""
    begins, over = set(), {}
    for utterance in who.utterances:
        begin_ms = len(pcm) / 2 / RATE_HZ * 1000
        over_ms = begin_ms + utterance.last_voiced_ms
        index = int(over_ms / FRAME_MS)
        begins.add(int(begin_ms / FRAME_MS))
        over[index] = (index + 1) * FRAME_MS - over_ms
        pcm += convert(utterance.pcm, last=True) + silence
    return Talk(_frames(pcm), frozenset(begins), over)


def _frames(pcm: bytes) -> tuple[bytes, ...]:
    whole = len(pcm) // FRAME_BYTES * FRAME_BYTES
    return tuple(client_frame(BINARY, pcm[at : at + FRAME_BYTES]) for at in range(0, whole, FRAME_BYTES))


@dataclass(slots=True)
class Figures:
    asked: int = 0
    answered: int = 0
    early: int = 0
    errors: int = 0
    late_ticks: int = 0
    response_ms: list[float] = field(default_factory=list)


class CallerProtocol(asyncio.Protocol):
    """One caller: just enough of the WebSocket protocol, by hand."""

    def __init__(self, talk: Talk, at: int, path: str, ready: asyncio.Future[None], figures: Figures) -> None:
        self.talk = talk
        self.at = at
        self.path = path
        self.ready = ready
        self.figures = figures
        self.buffer = bytearray()
        self.upgraded = False
        self.waiting_since_s: float | None = None
        self.counting = False
        self.speaking = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)  # uvloop's does not say so
        self.transport.write(
            f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.upgraded:
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head[:20]:
                self.ready.set_exception(ConnectionError(head[:80].decode(errors="replace")))
                return
            self.upgraded = True
            self.buffer = rest
            audio = {"encoding": "pcm_s16le", "sample_rate": RATE_HZ}
            self.transport.write(client_frame(TEXT, json.dumps({"type": "start", "audio": audio}).encode()))
        self._take_frames()

    def _take_frames(self) -> None:
        buffer = self.buffer
        at = 0
        while len(buffer) - at >= 4:
            size, head = buffer[at + 1], 2
            if size == 126:
                size, head = int.from_bytes(buffer[at + 2 : at + 4], "big"), 4
            if size == 127 or len(buffer) - at < head + size:
                break
            if buffer[at] == BINARY:
                self._hear()
            else:
                self._read(buffer[at], bytes(buffer[at + head : at + head + size]))
            at += head + size
        del buffer[:at]

    def _hear(self) -> None:
        if self.waiting_since_s is not None:
            self.figures.answered += 1
            self.figures.response_ms.append((time.monotonic() - self.waiting_since_s) * 1000)
            self.waiting_since_s = None

    def _read(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self.transport.write(client_frame(PONG, payload))
        elif opcode == CLOSE or b'"error"' in payload:
            self.figures.errors += 1
        elif not self.ready.done() and b'"ready"' in payload:
            self.ready.set_result(None)
        elif self.counting and self.speaking and b'"processing"' in payload:
            self.figures.early += 1

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(exc or ConnectionError("closed before it was ready"))

    def tick(self, now_s: float, *, asking: bool) -> None:
        talk, at = self.talk, self.at
        self.transport.write(talk.frames[at])
        if at in talk.begins:
            self.counting = asking
            self.speaking = True
            self.waiting_since_s = None
        if self.counting and at in talk.over:
            self.speaking = False
            self.figures.asked += 1
            self.waiting_since_s = now_s - talk.over[at] / 1000
        self.at = (at + 1) % len(talk.frames)


async def run(url: str, count: int, mode: str, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    where = urlsplit(url)
    host, port = str(where.hostname), where.port or 80
    talk = talk_of(mode)
    figures = Figures()
    callers = []
    for index in range(count):
        ready: asyncio.Future[None] = loop.create_future()
        offset = index * len(talk.frames) // count

        def make(offset: int = offset, ready: asyncio.Future[None] = ready) -> CallerProtocol:
            return CallerProtocol(talk, offset, where.path, ready, figures)

        _, protocol = await loop.create_connection(make, host, port)
        await asyncio.wait_for(ready, 10)
        callers.append(protocol)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    cpu_s, wall_s = time.process_time(), time.monotonic()
    if mode == "idle":
        await asyncio.sleep(seconds)
    else:
        await _drive(callers, figures, seconds)
    load_cpu = (time.process_time() - cpu_s) / (time.monotonic() - wall_s)
    print(json.dumps({slot: getattr(figures, slot) for slot in Figures.__slots__} | {"load_cpu": load_cpu}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for protocol in callers:
        protocol.transport.write(client_frame(TEXT, b'{"type": "stop"}'))
    await asyncio.sleep(0.5)


async def _drive(callers: list[CallerProtocol], figures: Figures, seconds: float) -> None:
    """One loop for all, by an absolute schedule. No sentence is begun that could not be answered before the end."""
    began_s = time.monotonic()
    step_s = FRAME_MS / 1000 / PHASES
    ticks = int(seconds / step_s)
    last_question = ticks - int(4.5 / step_s)
    phases = [callers[phase::PHASES] for phase in range(PHASES)]
    for count in range(ticks):
        due_s = began_s + count * step_s
        now_s = time.monotonic()
        if due_s > now_s:
            await asyncio.sleep(due_s - now_s)
        elif now_s - due_s > 0.01:
            figures.late_ticks += 1
        if phase := phases[count % PHASES]:
            now_s = time.monotonic()
            for each in phase:
                each.tick(now_s, asking=count < last_question)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--callers", type=int, required=True)
    parser.add_argument("--mode", choices=["speech", "silence", "idle"], default="speech")
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    uvloop.run(run(arguments.url, arguments.callers, arguments.mode, arguments.seconds))


if __name__ == "__main__":
    main()
