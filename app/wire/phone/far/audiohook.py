"""Genesys Cloud's side of an AudioHook session, as https://developer.genesys.cloud/devapps/audiohook/ and the reference
implementation (https://github.com/purecloudlabs/audiohook-reference-implementation) have it.
"""

from __future__ import annotations

import json
from typing import ClassVar, assert_never

from app.wire.phone.api import (
    Audio,
    Clear,
    Cleared,
    Command,
    Digit,
    Event,
    Failed,
    FlowChanged,
    HangUp,
    HungUp,
    MarkReached,
    Message,
    PhoneCall,
    Respond,
    SoundFormat,
    Speak,
    Started,
    WireError,
)
from app.wire.phone.envelope import Fields, json_object
from app.wire.phone.far.sound import FarSound
from app.wire.phone.sound import silence

__all__ = ("AudioHookGateway",)

FORMATS = {"mulaw": "PCMU", "l16le": "L16"}
ORGANIZATION = "d7934305-0972-4844-938e-9060eef73d05"
PARTICIPANT = "883efee8-3d6c-4537-b500-6d7ca4b92fa0"


class AudioHookGateway:
    """It offers the caller alone and both channels, or what ``channels`` says. Until the server has opened the session
    there is no audio.
    """

    name: ClassVar[str] = "audiohook"
    subprotocols: ClassVar[tuple[str, ...]] = ()
    formats: ClassVar[tuple[SoundFormat, ...]] = (SoundFormat("mulaw", 8000), SoundFormat("l16le", 8000))

    def __init__(self, channels: tuple[tuple[str, ...], ...] = (("external",), ("external", "internal"))) -> None:
        self._sound = FarSound()
        self._offered = channels
        self._channels: list[str] = []
        self._sent = 0
        self._received = 0
        self._samples = 0

    def encode(self, event: Event) -> list[Message]:
        match event:
            case Started(call):
                self._sound.start(call)
                return [self._message("open", self._open(call))]
            case Audio(pcm):
                return [self._interleaved(pcm)] if self._channels else []
            case Digit(digit):
                return [self._message("dtmf", {"digit": digit})]
            case Failed(message, retry_after_ms):
                code, _, text = message.partition(": ")
                wait = {} if retry_after_ms is None else {"retryAfter": f"PT{retry_after_ms / 1000:g}S"}
                return [self._message("error", {"code": int(code), "message": text, **wait})]
            case HungUp():
                return [self._message("close", {"reason": "end"})]
            case MarkReached() | Cleared() | FlowChanged() | Respond():
                return []
            case _:
                assert_never(event)

    def ping(self) -> Message:
        return self._message("ping", {})

    def decode(self, message: Message) -> list[Command]:
        if isinstance(message, bytes):
            return [Speak(self._sound.from_server(message))]
        fields = json_object(message)
        self._envelope(fields)
        parameters = fields.object("parameters")
        match fields.text("type"):
            case "opened":
                self._opened(parameters)
                return []
            case "event":
                kinds = [entity.text("type") for entity in parameters.objects("entities")]
                return [Clear()] if "barge_in" in kinds else []
            case "disconnect":
                parameters.one_of("reason", dict.fromkeys(("completed", "unauthorized", "error")))
                return [HangUp()]
            case "pong" | "closed" | "updated":
                return []
            case _:
                raise WireError("type: unknown")

    def _envelope(self, fields: Fields) -> None:
        if fields.text("version") != "2":
            fields.fail("version", "expected 2")
        if fields.text("id") != self._sound.call.stream_id:
            fields.fail("id", "is of another session")
        if fields.whole("seq") != self._received + 1:
            fields.fail("seq", "is not the next")
        if fields.whole("clientseq") > self._sent:
            fields.fail("clientseq", "was never sent")
        self._received += 1

    def _opened(self, parameters: Fields) -> None:
        chosen = parameters.objects("media")
        if len(chosen) != 1:
            parameters.fail("media", "expected one")
        channels = chosen[0].texts("channels")
        if tuple(channels) not in self._offered:
            parameters.fail("media", "was not offered")
        self._channels = channels

    def _interleaved(self, pcm: bytes) -> bytes:
        """The agent's channel is silent."""
        data = self._sound.to_server(pcm)
        self._samples += len(pcm) // 2
        form = self._sound.call.input
        width = 1 if form.encoding == "mulaw" else 2
        quiet = silence(form, width)
        samples = [data[at : at + width] for at in range(0, len(data), width)]
        return b"".join(sample if name == "external" else quiet for sample in samples for name in self._channels)

    def _open(self, call: PhoneCall) -> dict[str, object]:
        kind = {"type": "audio", "format": FORMATS[call.input.encoding], "rate": call.input.rate_hz}
        return {
            "organizationId": ORGANIZATION,
            "conversationId": call.call_id,
            "participant": {"id": PARTICIPANT, "ani": call.caller, "aniName": "", "dnis": call.callee},
            "media": [{**kind, "channels": list(channels)} for channels in self._offered],
            "inputVariables": call.parameters,
        }

    def _message(self, kind: str, parameters: dict[str, object]) -> str:
        self._sent += 1
        position = f"PT{self._samples / 8000:.3f}S"
        numbers = {"seq": self._sent, "serverseq": self._received, "position": position}
        envelope = {"version": "2", "id": self._sound.call.stream_id, "type": kind, **numbers}
        return json.dumps({**envelope, "parameters": parameters})
