"""What jambonz and mod_audio_fork do alike once a call has started."""

from __future__ import annotations

import json
from typing import assert_never

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
    Mark,
    MarkReached,
    Message,
    Respond,
    Speak,
    Started,
    WireError,
)
from app.wire.phone.envelope import json_object
from app.wire.phone.far.sound import FarSound

__all__ = ("asked", "told")


def told(event: Event, sound: FarSound) -> list[Message]:
    """They have no message for the end: the socket closes."""
    match event:
        case Audio(pcm):
            return [sound.to_server(pcm)]
        case Digit(digit):
            return [json.dumps({"event": "dtmf", "dtmf": digit, "duration": "1600"})]
        case MarkReached(name, heard):
            return [json.dumps({"type": "mark", "data": {"name": name, "event": "playout" if heard else "cleared"}})]
        case Started() | Cleared() | FlowChanged() | Respond() | Failed() | HungUp():
            return []
        case _:
            assert_never(event)


def asked(message: Message, sound: FarSound) -> list[Command]:
    if isinstance(message, bytes):
        return [Speak(sound.from_server(message))]
    fields = json_object(message)
    match fields.text("type"):
        case "killAudio":
            return [Clear()]
        case "mark":
            return [Mark(fields.object("data").text("name"))]
        case "clearMarks":
            return []
        case "disconnect":
            return [HangUp()]
        case _:
            raise WireError("type: unknown")
