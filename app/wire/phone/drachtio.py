"""What mod_audio_fork and jambonz, which is built on it, share: binary linear PCM, little-endian, and JSON about it.

The first text tells of the call, or is whatever the dialplan gives along.
"""

from __future__ import annotations

import json
from typing import assert_never

import numpy as np

from app.wire.phone.api import (
    Abilities,
    Clear,
    Command,
    Continue,
    Digit,
    Event,
    HangUp,
    Mark,
    MarkReached,
    Message,
    Pause,
    SendDigits,
    Speak,
)
from app.wire.phone.call_audio import CallAudio
from app.wire.phone.envelope import Fields

__all__ = ("ABILITIES", "CHANNELS", "Drachtio")

ABILITIES = Abilities(marks=True, hang_up=True, after_clear_ms=100)
"""A ``killAudio`` and the audio after it may change places for 50 to 100 ms."""

CHANNELS = {"mono": 1, "mixed": 1, "stereo": 2}
"""The caller is in the first."""

HEARD = {"playout": True, "cleared": False}


class Drachtio:
    """All but how a call starts."""

    def __init__(self) -> None:
        self.audio = CallAudio()

    def decode(self, fields: Fields) -> list[Event]:
        """Of a text after the first. The dialplan may send any: what is not known is not for us."""
        if fields.text("type", "") == "mark":
            data = fields.object("data")
            return [MarkReached(data.text("name"), heard=data.one_of("event", HEARD))]
        if fields.text("event", "") == "dtmf":
            # As clients of jambonz read it; no document of it names the fields.
            return [Digit(fields.digit("dtmf"))]
        return []

    def encode(self, command: Command) -> list[Message]:
        self.audio.must_have_started()
        match command:
            case Speak(pcm):
                data = _without_markers(self.audio.spoken(pcm))
                return [data] if data else []
            case Mark(name):
                return [json.dumps({"type": "mark", "data": {"name": name}})]
            case Clear():
                # Its marks come back as cleared. A clearMarks beside it would keep them from coming back, and would
                # have the module swallow as many of the next ones.
                return ['{"type":"killAudio"}']
            case HangUp():
                return ['{"type":"disconnect"}']
            case Pause() | Continue() | SendDigits():
                return []
            case _:
                assert_never(command)


def _without_markers(data: bytes) -> bytes:
    """The module marks a place in its buffer with the sample -1, and takes any of ours for a mark that was played
    (``AUDIO_MARKER`` in lws_glue.cpp): 0 is as good.
    """
    samples = np.frombuffer(data, "<i2")
    return np.where(samples == -1, np.int16(0), samples).tobytes()
