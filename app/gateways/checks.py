"""Which gateways prove themselves, and how: by the secrets that are set."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import SecretStr

from app.gateways.received import Received
from app.gateways.seen import SeenOnce
from app.gateways.signatures.audiohook import has_api_key, is_signed_by_genesys
from app.gateways.signatures.basic import has_password
from app.gateways.signatures.jambonz import is_signed_by_jambonz
from app.gateways.signatures.plivo import is_signed_by_plivo
from app.gateways.signatures.telnyx import has_stream_token, is_signed_by_telnyx
from app.gateways.signatures.twilio import is_signed_by_twilio
from app.gateways.signatures.vonage import is_signed_by_vonage
from app.settings.telephony import Telephony

__all__ = ("Check", "stream_checks", "webhook_checks")

Check = Callable[[Received], bool | None]
"""Whether a request is of its gateway; None where it carries nothing to tell by, and something else may do."""

_MOST_NONCES = 100_000


def stream_checks(settings: Telephony, clock_s: Callable[[], float]) -> dict[str, Check]:
    """Of the upgrade to a stream, by gateway; those that have no secret set are missing."""
    checks = _both(settings, clock_s)
    for name, account in (
        ("exotel", settings.exotel),
        ("asterisk", settings.asterisk),
        ("freeswitch", settings.freeswitch),
        ("freeswitch-fork", settings.freeswitch),
        ("jambonz", settings.jambonz),
    ):
        if account.username is not None and account.password is not None:
            checks[name] = _password(account.username, account.password)
    if (agreed := settings.telnyx.stream_auth_token) is not None:
        stream_token = agreed.get_secret_value()
        checks["telnyx"] = lambda request: has_stream_token(request, stream_token)
    if (api_key := settings.audiohook.api_key) is not None:
        checks["audiohook"] = _genesys(api_key, settings.audiohook.client_secret, clock_s)
    return checks


def webhook_checks(settings: Telephony, clock_s: Callable[[], float]) -> dict[str, Check]:
    """Of webhooks, likewise."""
    checks = _both(settings, clock_s)
    jambonz = settings.jambonz
    if jambonz.webhook_secret is not None:
        webhook_secret = jambonz.webhook_secret.get_secret_value()
        checks["jambonz"] = lambda request: is_signed_by_jambonz(request, webhook_secret, clock_s())
    elif jambonz.username is not None and jambonz.password is not None:
        checks["jambonz"] = _password(jambonz.username, jambonz.password)
    if (key := settings.telnyx.public_key) is not None:
        checks["telnyx"] = lambda request: is_signed_by_telnyx(request, key, clock_s())
    return checks


def _both(settings: Telephony, clock_s: Callable[[], float]) -> dict[str, Check]:
    """Of those that sign webhooks and streams in the same way."""
    checks: dict[str, Check] = {}
    if settings.twilio.auth_token is not None:
        twilio_token = settings.twilio.auth_token.get_secret_value()
        checks["twilio"] = lambda request: is_signed_by_twilio(request, twilio_token)
    if settings.plivo.auth_token is not None:
        plivo_token = settings.plivo.auth_token.get_secret_value()
        checks["plivo"] = lambda request: is_signed_by_plivo(request, plivo_token)
    vonage = settings.vonage
    if vonage.signature_secret is not None:
        vonage_secret = vonage.signature_secret.get_secret_value()
        checks["vonage"] = lambda request: is_signed_by_vonage(request, vonage_secret, vonage.application_id, clock_s())
    return checks


def _password(username: str, password: SecretStr) -> Check:
    return lambda request: has_password(request, username, password.get_secret_value())


def _genesys(api_key: SecretStr, client_secret: SecretStr | None, clock_s: Callable[[], float]) -> Check:
    """Where an integration has no client secret, Genesys signs nothing, and its key is all there is."""
    nonces, key = SeenOnce(_MOST_NONCES), api_key.get_secret_value()
    if client_secret is None:
        return lambda request: has_api_key(request, key)
    secret = client_secret.get_secret_value()
    return lambda request: is_signed_by_genesys(request, key, secret, nonces, clock_s())
