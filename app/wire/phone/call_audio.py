"""What every codec keeps of its call: its facts, once it has started, and its sound both ways."""

from __future__ import annotations

from binascii import b2a_base64

from app.wire.phone.api import Audio, Event, PhoneCall, Started, WireError
from app.wire.phone.sound import Decoder, Encoder, silence

__all__ = ("CallAudio",)


class CallAudio:
    def __init__(self) -> None:
        self._call: PhoneCall | None = None

    def start(self, call: PhoneCall, channels: int = 1, channel: int = 0) -> list[Event]:
        """The caller's voice is one ``channel``, counted from 0, of the ``channels`` that come.

        :raises WireError: if it has started before, or its sound cannot be had.
        """
        if self._call is not None:
            raise WireError("a second start")
        self._decoder, self._encoder = Decoder(call.input, channels, channel), Encoder(call.output)
        self._call = call
        return [Started(call)]

    @property
    def started(self) -> bool:
        return self._call is not None

    def must_have_started(self) -> PhoneCall:
        """
        :raises RuntimeError: if it has not: nothing can be asked of a gateway before.
        """
        if self._call is None:
            raise RuntimeError("the call has not started")
        return self._call

    def heard(self, data: bytes) -> list[Event]:
        """
        :raises WireError: if the call has not started.
        """
        if self._call is None:
            raise WireError("audio before the start")
        pcm = self._decoder.decode(data)
        return [Audio(pcm)] if pcm else []

    def spoken(self, pcm: bytes, multiple_bytes: int = 1) -> bytes:
        """The bytes to be sent, filled up with silence to a multiple of so many.

        :raises RuntimeError: as ``must_have_started``.
        """
        output = self.must_have_started().output
        data = self._encoder.encode(pcm)
        missing = -len(data) % multiple_bytes
        return data + silence(output, missing) if missing else data

    def spoken_base64(self, pcm: bytes, multiple_bytes: int = 1) -> str:
        return b2a_base64(self.spoken(pcm, multiple_bytes), newline=False).decode("ascii")
