"""The REST interfaces that the settings have credentials for."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from app.gateways.control import CallControl, GatewayError
from app.gateways.exotel import ExotelControl
from app.gateways.jambonz import JambonzControl
from app.gateways.outbound import OutboundCalls
from app.gateways.plivo import PlivoControl
from app.gateways.telnyx import TelnyxControl
from app.gateways.twilio import TwilioControl, api_url
from app.gateways.vonage import VonageControl
from app.settings.telephony import Jambonz, Telephony, private_key_pem

__all__ = ("make_controls",)


def make_controls(settings: Telephony, outbound: OutboundCalls) -> dict[str, CallControl]:
    """By the name of the gateway. Nothing is opened yet."""
    made: list[CallControl] = []
    twilio, telnyx, vonage, plivo = settings.twilio, settings.telnyx, settings.vonage, settings.plivo
    exotel, jambonz = settings.exotel, settings.jambonz
    if twilio.account_sid and twilio.auth_token:
        url = api_url(twilio.edge, twilio.region)
        made.append(TwilioControl(twilio.account_sid, twilio.auth_token.get_secret_value(), url))
    if telnyx.api_key:
        made.append(TelnyxControl(telnyx.api_key.get_secret_value(), telnyx.connection_id))
    private_key = private_key_pem(vonage)
    if vonage.application_id and private_key:
        made.append(VonageControl(vonage.application_id, private_key, vonage.api_url))
    if plivo.auth_id and plivo.auth_token:
        dial_url = _dial_url("plivo", settings, outbound)
        made.append(PlivoControl(plivo.auth_id, plivo.auth_token.get_secret_value(), dial_url))
    if exotel.account_sid and exotel.api_key and exotel.api_token:
        key, token = exotel.api_key.get_secret_value(), exotel.api_token.get_secret_value()
        made.append(ExotelControl(exotel.account_sid, key, token, exotel.api_url))
    if jambonz.account_sid and jambonz.api_key:
        dial_url, key = _dial_url("jambonz", settings, outbound), jambonz.api_key.get_secret_value()
        account = _webhook_account(jambonz)
        made.append(JambonzControl(jambonz.account_sid, key, dial_url, jambonz.api_url, webhook=account))
    return {control.name: control for control in made}


def _dial_url(gateway: str, settings: Telephony, outbound: OutboundCalls) -> Callable[[str], str]:
    """Of the webhook that answers with the dialling of ``to``. The key lets the vendor in where it signs nothing."""

    def dial_url(to: str) -> str:
        if settings.public_url is None:
            raise GatewayError(gateway, "transfer", "telephony.public_url is not set, where it would ask whom to dial")
        query = urlencode({"to": to, "call": outbound.expect({})})
        return f"{settings.public_url.rstrip('/')}/v1/telephony/{gateway}/dial?{query}"

    return dial_url


def _webhook_account(jambonz: Jambonz) -> dict[str, str]:
    if jambonz.username is None or jambonz.password is None:
        return {}
    return {"username": jambonz.username, "password": jambonz.password.get_secret_value()}
