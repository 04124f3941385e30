"""The sound of a call, as the gateway has it: what the server hears is what it sends."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass

from app.wire.phone.api import PhoneCall, WireError
from app.wire.phone.sound import Decoder, Encoder
from providers.audio import sample_count

__all__ = ("FarSound", "Packet")


@dataclass(frozen=True, slots=True)
class Packet:
    """``number`` counts from 1; ``payload`` is base64."""

    number: int
    at_ms: int
    payload: str


class FarSound:
    def __init__(self) -> None:
        self._call: PhoneCall | None = None
        self._packets = 0
        self._samples = 0

    def start(self, call: PhoneCall) -> None:
        self._call = call
        self._encoder = Encoder(call.input)
        self._decoder = Decoder(call.output)

    @property
    def call(self) -> PhoneCall:
        """
        :raises WireError: if it has not started: the server speaks too early.
        """
        if self._call is None:
            raise WireError("before the start")
        return self._call

    def packet(self, pcm: bytes) -> Packet:
        """What is sent of it as text, numbered and timed."""
        self._packets += 1
        at_ms = self._samples * 1000 // self.call.input.rate_hz
        self._samples += sample_count(pcm)
        return Packet(self._packets, at_ms, b64encode(self.to_server(pcm)).decode())

    def to_server(self, pcm: bytes) -> bytes:
        return self._encoder.encode(pcm)

    def from_server(self, data: bytes) -> bytes:
        """
        :raises WireError: as ``call``.
        """
        return self._decoder.decode(data) if self.call else b""
