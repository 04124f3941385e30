"""``Jambonz-Signature: t=…,v1=…``: HMAC-SHA256 in hexadecimal with the webhook secret over ``timestamp.body``.

https://docs.jambonz.org/guides/features/securing-http-endpoints; the form is that of jambonz' own SDKs.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

from app.gateways.received import Received, unix_time

__all__ = ("is_signed_by_jambonz",)

MAX_AGE_S = 300


def is_signed_by_jambonz(request: Received, secret: str, now_s: float) -> bool:
    parts = [part.strip().partition("=") for part in request.headers.get("jambonz-signature", "").split(",")]
    timestamp = next((value for name, _, value in parts if name == "t"), "")
    sent_s = unix_time(timestamp)
    if sent_s is None or abs(now_s - sent_s) > MAX_AGE_S:
        return False
    expected = hmac.new(secret.encode(), timestamp.encode() + b"." + request.body, sha256).hexdigest().encode()
    matches = [hmac.compare_digest(expected, value.encode()) for name, _, value in parts if name == "v1"]
    return any(matches)
