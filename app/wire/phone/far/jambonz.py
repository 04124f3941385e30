"""jambonz' side of the ``listen`` verb, as https://docs.jambonz.org/verbs/verbs/listen tells it."""

from __future__ import annotations

import json
from typing import ClassVar

from app.wire.phone.api import Command, Event, Message, PhoneCall, SoundFormat, Started
from app.wire.phone.far.drachtio import asked, told
from app.wire.phone.far.sound import FarSound

__all__ = ("JambonzGateway",)


class JambonzGateway:
    name: ClassVar[str] = "jambonz"
    subprotocols: ClassVar[tuple[str, ...]] = ("audio.jambonz.org",)
    formats: ClassVar[tuple[SoundFormat, ...]] = tuple(
        SoundFormat("l16le", rate_hz) for rate_hz in (8000, 16_000, 24_000, 48_000)
    )

    def __init__(self) -> None:
        self._sound = FarSound()

    def encode(self, event: Event) -> list[Message]:
        if not isinstance(event, Started):
            return told(event, self._sound)
        self._sound.start(event.call)
        return [json.dumps(_attributes(event.call))]

    def decode(self, message: Message) -> list[Command]:
        return asked(message, self._sound)


def _attributes(call: PhoneCall) -> dict[str, object]:
    known = {"callSid": call.call_id, "from": call.caller, "to": call.callee}
    return {
        **call.parameters,
        **{name: value for name, value in known.items() if value},
        "sampleRate": call.input.rate_hz,
        "mixType": "mono",
    }
