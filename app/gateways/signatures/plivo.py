"""``X-Plivo-Signature-V3``: HMAC-SHA256 with the auth token over the URL, the sorted parameters and a nonce.

https://plivo.com/docs/voice/concepts/signature-validation; the upgrade of a stream is signed as a GET. What is signed
stands nowhere in full: the order and the separators are those of Plivo's own SDKs.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from hashlib import sha256
from urllib.parse import parse_qsl

from app.gateways.received import Received

__all__ = ("is_signed_by_plivo",)


def is_signed_by_plivo(request: Received, auth_token: str) -> bool:
    """The header may hold several signatures, by different tokens, with commas between them."""
    nonce = request.headers.get("x-plivo-signature-v3-nonce", "")
    if not nonce:
        return False
    given = [each.strip().encode() for each in request.headers.get("x-plivo-signature-v3", "").split(",")]
    expected = [_sign(auth_token, f"{_signed(request, url)}.{nonce}") for url in request.urls()]
    matches = [hmac.compare_digest(one, other) for one in expected for other in given]
    return any(matches)


def _signed(request: Received, url: str) -> str:
    base, _, raw_query = url.partition("?")
    query = "&".join(f"{name}={value}" for name, value in sorted(parse_qsl(raw_query, keep_blank_values=True)))
    fields = "".join(name + value for name, value in sorted(request.form)) if request.method == "POST" else ""
    if fields:
        return f"{base}?{query}{'.' if query else ''}{fields}"
    return f"{base}?{query}" if query else base


def _sign(auth_token: str, text: str) -> bytes:
    return b64encode(hmac.new(auth_token.encode(), text.encode(), sha256).digest())
