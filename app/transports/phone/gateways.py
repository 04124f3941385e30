"""The codec for a connection, as the settings want it; and whose it is, where its address does not say."""

from __future__ import annotations

from collections.abc import Sequence

from app.settings.telephony import Telephony
from app.wire.phone.api import Codec
from app.wire.phone.catalogue import CODECS
from app.wire.phone.detect import by_subprotocol
from app.wire.phone.freeswitch import AudioFork, AudioStream
from app.wire.phone.telnyx import Telnyx

__all__ = ("codec_of", "subprotocol", "which")


def codec_of(gateway: str, settings: Telephony) -> Codec:
    """One for each connection; what a stream does not tell of itself is in the settings."""
    match gateway:
        case "telnyx":
            return Telnyx(settings.telnyx.codec, settings.telnyx.rate)
        case "freeswitch":
            return AudioStream(settings.freeswitch.rate)
        case "freeswitch-fork":
            return AudioFork(settings.freeswitch.rate)
        case _:
            return CODECS[gateway]()


def which(addressed: str | None, offered: Sequence[str]) -> str | None:
    """Whose protocol is spoken, by the address or by the subprotocols; FreeSWITCH has one for each of its modules."""
    told = by_subprotocol(offered)
    return told if addressed is None or (addressed, told) == ("freeswitch", "freeswitch-fork") else addressed


def subprotocol(gateway: str | None, offered: Sequence[str]) -> str | None:
    """The gateway's own, if it is offered; else that which carries a credential."""
    known = () if gateway is None else CODECS[gateway]().subprotocols
    return next((each for each in (*known, "bearer") if each in offered), None)
