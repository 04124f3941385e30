"""The command line of the server, with clocks in it: how long it holds a caller's audio. Run by ``webrtc.py``.

Written when it ends, as lists of milliseconds. ``in``: from the datagram to the audio in the session. ``out``: from a
reply's first frame, as the session hands it over, to its datagram; the frames after it are handed over ahead of their
time, and wait for that.
"""

from __future__ import annotations

import json
import time
from collections import deque
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from app.cli import main as serve
from app.transports.ice.udp import UdpPort
from app.transports.webrtc.connection import Connection
from app.transports.webrtc.speaking import Speaking
from app.transports.webrtc.voice import VoiceTrack

__all__ = ("main",)

_MOST = 100_000
_in_ms: deque[float] = deque(maxlen=_MOST)
_out_ms: deque[float] = deque(maxlen=_MOST)
_arrived_s: dict[bytes, float] = {}
_handed_s: dict[VoiceTrack, float] = {}
_leaves: ContextVar[float | None] = ContextVar("leaves", default=None)


def _since_ms(began_s: float) -> float:
    return (time.perf_counter() - began_s) * 1000


def _install() -> None:
    """Around the methods through which each packet goes; one is known again by its RTP timestamp."""
    received, heard = UdpPort.datagram_received, Connection._heard  # noqa: SLF001 - a stethoscope
    spoken, next_packet, sent = Speaking.send, VoiceTrack.recv, UdpPort.send

    def datagram_received(self: UdpPort, data: bytes, addr: tuple[Any, ...]) -> None:
        if 128 <= data[0] < 192:
            _arrived_s[data[4:8]] = time.perf_counter()
        received(self, data, addr)

    def hear(self: Connection, item: Any) -> bytes:
        pcm = heard(self, item)
        arrived_s = None if item is None else _arrived_s.pop(item.timestamp.to_bytes(4), None)
        if arrived_s is not None:
            _in_ms.append(_since_ms(arrived_s))
        return pcm

    def speak(self: Speaking, frame: bytes) -> None:
        if not self._talking:
            _handed_s[self._track] = time.perf_counter()
        spoken(self, frame)

    async def recv(self: VoiceTrack) -> Any:
        packet = await next_packet(self)
        _leaves.set(_handed_s.pop(self, None))
        return packet

    def send(self: UdpPort, data: bytes, address: tuple[str, int]) -> None:
        sent(self, data, address)
        if (handed_s := _leaves.get()) is not None:
            _leaves.set(None)
            _out_ms.append(_since_ms(handed_s))

    for owner, name, method in (
        (UdpPort, "datagram_received", datagram_received),
        (UdpPort, "send", send),
        (Connection, "_heard", hear),
        (Speaking, "send", speak),
        (VoiceTrack, "recv", recv),
    ):
        setattr(owner, name, method)


def main(path: str) -> None:
    _install()
    try:
        serve()
    finally:
        Path(path).write_text(json.dumps({"in": list(_in_ms), "out": list(_out_ms)}), "utf-8")
