"""Telnyx media streaming, ``rtp`` mode: https://developers.telnyx.com/api-reference/websockets/stream-call-media-over-websocket

A payload is that of an RTP packet. Messages may come out of order. What Telnyx sends is in its ``start``; what it wants
back is in the request for the stream (``stream_bidirectional_codec``), which only the setting knows.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from app.wire.phone.api import (
    Abilities,
    Command,
    Event,
    Failed,
    HungUp,
    Message,
    PhoneCall,
    SoundEncoding,
    SoundFormat,
)
from app.wire.phone.envelope import Fields, json_object
from app.wire.phone.json_stream import JsonStream, is_callers
from app.wire.phone.reorder import Reorder

__all__ = ("Telnyx", "TelnyxCodec")

TelnyxCodec = Literal["PCMU", "PCMA", "G722", "L16"]
"""As Telnyx names them. It has OPUS and AMR-WB, too; we have not."""


MAX_CHARACTERS = 200
"""Of what Telnyx says of an error."""

OF_OLD: dict[str, SoundEncoding] = {"audio/x-mulaw": "mulaw", "audio/x-alaw": "alaw"}
"""As older documents name them."""


class Telnyx:
    """A call is hung up over REST.

    :param codec: what we send, at ``rate_hz`` if it is L16.
    :param l16: L16's byte order in both directions. Telnyx does not document it; RTP's is the network's.
    """

    name: ClassVar[str] = "telnyx"
    subprotocols: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        codec: TelnyxCodec = "PCMU",
        rate_hz: int = 8000,
        l16: Literal["l16be", "l16le"] = "l16be",
        reorder_window: int = 5,
    ) -> None:
        self.abilities = Abilities(marks=True)
        ours: dict[str, SoundEncoding] = {"pcmu": "mulaw", "pcma": "alaw", "g722": "g722", "l16": l16}
        self._output = _sound(ours[codec.lower()], rate_hz)
        self._encodings = {**ours, **OF_OLD}
        self._stream = JsonStream()
        self._reorder = Reorder(reorder_window)

    def decode(self, message: Message) -> list[Event]:
        fields = json_object(message)
        match fields.text("event"):
            case "media":
                media = fields.object("media")
                return self._media(media) if is_callers(media) else []
            case "start":
                return self._start(fields.object("start"), fields.text("stream_id"))
            case "stop":
                return [*self._heard(self._reorder.rest()), HungUp()]
            case "error":
                return [Failed(_error(fields))]
            case _:
                return self._stream.decode(fields)

    def encode(self, command: Command) -> list[Message]:
        return self._stream.encode(command)

    def _media(self, media: Fields) -> list[Event]:
        number, payload = media.whole("chunk"), media.base64("payload")
        return self._heard(self._reorder.add(number, payload)) if self._stream.audio.started else self._heard([payload])

    def _heard(self, pieces: list[bytes]) -> list[Event]:
        return [event for piece in pieces for event in self._stream.audio.heard(piece)]

    def _start(self, start: Fields, stream_id: str) -> list[Event]:
        media = start.object("media_format")
        call = PhoneCall(
            gateway=self.name,
            call_id=start.text("call_control_id"),
            stream_id=stream_id,
            input=_sound(media.one_of("encoding", self._encodings), media.rate_hz("sample_rate", 8000)),
            output=self._output,
            caller=start.optional_text("from"),
            callee=start.optional_text("to"),
            parameters=start.parameters("custom_parameters"),
        )
        return self._stream.start(call, None)


def _sound(encoding: SoundEncoding, rate_hz: int) -> SoundFormat:
    match encoding:
        case "mulaw" | "alaw":
            return SoundFormat(encoding, 8000)
        case "g722":
            return SoundFormat(encoding, 16_000)
        case _:
            return SoundFormat(encoding, rate_hz)


def _error(fields: Fields) -> str:
    payload = fields.object("payload")
    return f"{payload.whole('code')}: {payload.text('title')[:MAX_CHARACTERS]}"
