"""Telnyx' webhooks are signed with Ed25519 over ``timestamp|body``; its streams carry a token that was agreed on.

https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks and
https://developers.telnyx.com/docs/voice/programmable-voice/media-streaming (``stream_auth_token``).
"""

from __future__ import annotations

import hmac
from base64 import b64decode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.gateways.received import Received, unix_time

__all__ = ("has_stream_token", "is_signed_by_telnyx", "public_key")

MAX_AGE_S = 300


def public_key(text: str) -> Ed25519PublicKey:
    """
    :raises ValueError: it is not 32 bytes in base64.
    """
    return Ed25519PublicKey.from_public_bytes(b64decode(text, validate=True))


def is_signed_by_telnyx(request: Received, key: str, now_s: float) -> bool:
    timestamp = request.headers.get("telnyx-timestamp", "")
    sent_s = unix_time(timestamp)
    if sent_s is None or abs(now_s - sent_s) > MAX_AGE_S:
        return False
    try:
        signature = b64decode(request.headers.get("telnyx-signature-ed25519", ""), validate=True)
        public_key(key).verify(signature, timestamp.encode() + b"|" + request.body)
    except (ValueError, InvalidSignature):
        return False
    return True


def has_stream_token(request: Received, token: str) -> bool | None:
    """None where it has none at all: TeXML cannot give one along, only Call Control can."""
    given = request.headers.get("x-telnyx-streaming-auth-token")
    return None if given is None else hmac.compare_digest(given.encode(), token.encode())
