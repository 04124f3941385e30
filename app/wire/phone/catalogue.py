"""All gateways by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from app.wire.phone.api import Codec
from app.wire.phone.asterisk import Asterisk
from app.wire.phone.audiohook import AudioHook
from app.wire.phone.exotel import Exotel
from app.wire.phone.freeswitch import AudioFork, AudioStream
from app.wire.phone.jambonz import Jambonz
from app.wire.phone.plivo import Plivo
from app.wire.phone.telnyx import Telnyx
from app.wire.phone.twilio import Twilio
from app.wire.phone.vonage import Vonage

__all__ = ("CODECS",)

CODECS: Mapping[str, Callable[[], Codec]] = {
    codec.name: codec
    for codec in (Twilio, Telnyx, Vonage, Plivo, Exotel, Asterisk, AudioStream, AudioFork, Jambonz, AudioHook)
}
"""With what a setting may tell left at its defaults. Names are as in an address."""
