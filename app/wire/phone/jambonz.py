"""jambonz' ``listen`` verb with streaming both ways: https://docs.jambonz.org/verbs/verbs/listen

The verb needs ``bidirectionalAudio.streaming``, else what we send is ignored.
"""

from __future__ import annotations

from typing import ClassVar

from app.wire.phone.api import Command, Event, Message, PhoneCall, SoundFormat
from app.wire.phone.drachtio import ABILITIES, CHANNELS, Drachtio
from app.wire.phone.envelope import Fields, json_object

__all__ = ("Jambonz",)


class Jambonz:
    """
    :param output_rate_hz: ``bidirectionalAudio.sampleRate`` of the verb, which the stream does not tell; else that of
        the caller's audio.
    """

    name: ClassVar[str] = "jambonz"
    subprotocols: ClassVar[tuple[str, ...]] = ("audio.jambonz.org",)

    def __init__(self, output_rate_hz: int | None = None) -> None:
        self.abilities = ABILITIES
        self._output_rate_hz = output_rate_hz
        self._stream = Drachtio()

    def decode(self, message: Message) -> list[Event]:
        if isinstance(message, bytes):
            return self._stream.audio.heard(message)
        fields = json_object(message)
        return self._stream.decode(fields) if self._stream.audio.started else self._start(fields)

    def encode(self, command: Command) -> list[Message]:
        return self._stream.encode(command)

    def _start(self, fields: Fields) -> list[Event]:
        rate_hz = fields.rate_hz("sampleRate")
        call = PhoneCall(
            gateway=self.name,
            call_id=fields.text("callSid"),
            input=SoundFormat("l16le", rate_hz),
            output=SoundFormat("l16le", self._output_rate_hz or rate_hz),
            caller=fields.optional_text("from"),
            callee=fields.optional_text("to"),
            parameters=fields.rest("callSid", "from", "to", "sampleRate", "mixType"),
        )
        return self._stream.audio.start(call, fields.one_of("mixType", CHANNELS, "mono"))
