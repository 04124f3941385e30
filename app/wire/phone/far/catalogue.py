"""The gateways' sides by the names of ``app.wire.phone.catalogue``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from app.wire.phone.far.api import Gateway
from app.wire.phone.far.asterisk import AsteriskGateway
from app.wire.phone.far.audiohook import AudioHookGateway
from app.wire.phone.far.exotel import ExotelGateway
from app.wire.phone.far.freeswitch import AudioForkGateway, AudioStreamGateway
from app.wire.phone.far.jambonz import JambonzGateway
from app.wire.phone.far.plivo import PlivoGateway
from app.wire.phone.far.telnyx import TelnyxGateway
from app.wire.phone.far.twilio import TwilioGateway
from app.wire.phone.far.vonage import VonageGateway

__all__ = ("GATEWAYS",)

GATEWAYS: Mapping[str, Callable[[], Gateway]] = {
    gateway.name: gateway
    for gateway in (
        TwilioGateway,
        TelnyxGateway,
        VonageGateway,
        PlivoGateway,
        ExotelGateway,
        AsteriskGateway,
        AudioStreamGateway,
        AudioForkGateway,
        JambonzGateway,
        AudioHookGateway,
    )
}
