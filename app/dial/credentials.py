"""How each gateway proves itself when it connects: the headers that its WebSocket is opened with.

Written from the vendors' pages, and apart from the server's own reading of them.
"""

from __future__ import annotations

import hmac
import secrets
import time
from base64 import b64decode, b64encode
from urllib.parse import urlsplit

import jwt

__all__ = ("KINDS", "headers")

KINDS = {
    "twilio": "the account's auth token",
    "telnyx": "the stream's auth token",
    "vonage": "the account's signature secret",
    "plivo": "the account's auth token",
    "exotel": "USER:PASSWORD",
    "asterisk": "USER:PASSWORD",
    "freeswitch": "USER:PASSWORD",
    "freeswitch-fork": "USER:PASSWORD",
    "jambonz": "USER:PASSWORD",
    "audiohook": "API_KEY:CLIENT_SECRET, the secret in base64",
}


def headers(gateway: str, secret: str | None, url: str, stream_id: str) -> dict[str, str]:
    """
    :raises ValueError: the secret is not of the kind in ``KINDS``.
    """
    if secret is None:
        return {}
    match gateway:
        case "twilio":
            return {"X-Twilio-Signature": _hmac("sha1", secret.encode(), url)}
        case "telnyx":
            return {"x-telnyx-streaming-auth-token": secret}
        case "vonage":
            return {"Authorization": f"Bearer {jwt.encode({'iat': int(time.time())}, secret, algorithm='HS256')}"}
        case "plivo":
            nonce = secrets.token_hex(16)
            signature = _hmac("sha256", secret.encode(), f"{url}.{nonce}")
            return {"X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": nonce}
        case "audiohook":
            return _genesys(*_pair(secret), url, stream_id)
        case _:
            return {"Authorization": "Basic " + b64encode(":".join(_pair(secret)).encode()).decode()}


def _pair(secret: str) -> tuple[str, str]:
    first, colon, second = secret.partition(":")
    if not (first and colon and second):
        raise ValueError("two parts with a colon between them are needed")
    return first, second


def _hmac(algorithm: str, key: bytes, text: str) -> str:
    return b64encode(hmac.digest(key, text.encode(), algorithm)).decode()


def _genesys(api_key: str, client_secret: str, url: str, session_id: str) -> dict[str, str]:
    """An HTTP message signature over what the connection is for."""
    parts = urlsplit(url)
    signed = {
        "@request-target": f"{parts.path}?{parts.query}" if parts.query else parts.path,
        "@authority": parts.netloc,
        "audiohook-organization-id": secrets.token_hex(16),
        "audiohook-session-id": session_id,
        "audiohook-correlation-id": secrets.token_hex(16),
        "x-api-key": api_key,
    }
    now_s = int(time.time())
    names = " ".join(f'"{name}"' for name in signed)
    parameters = f'keyid="{api_key}";nonce="{secrets.token_urlsafe(24)}";alg="hmac-sha256"'
    what = f"({names});{parameters};created={now_s};expires={now_s + 10}"
    base = "\n".join([*(f'"{name}": {value}' for name, value in signed.items()), f'"@signature-params": {what}'])
    signature = _hmac("sha256", b64decode(client_secret, validate=True), base)
    sent = {name: value for name, value in signed.items() if not name.startswith("@")}
    return {**sent, "Signature-Input": f"sig1={what}", "Signature": f"sig1=:{signature}:"}
