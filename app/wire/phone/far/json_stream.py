"""What the gateways of Twilio's kind have in common: how they read media, mark and clear."""

from __future__ import annotations

from app.wire.phone.api import Clear, Command, Mark, Speak, WireError
from app.wire.phone.envelope import Fields
from app.wire.phone.far.sound import FarSound

__all__ = ("asked", "must_be_of")


def must_be_of(stream_id: str, fields: Fields, name: str) -> None:
    """
    :raises WireError: if the message is of another stream, or of none.
    """
    if fields.text(name) != stream_id:
        fields.fail(name, "is of another stream")


def asked(fields: Fields, sound: FarSound) -> Command:
    """
    :raises WireError: if it is none of the three.
    """
    match fields.text("event"):
        case "media":
            return Speak(sound.from_server(fields.object("media").base64("payload")))
        case "mark":
            return Mark(fields.object("mark").text("name"))
        case "clear":
            return Clear()
        case _:
            raise WireError("event: unknown")
