"""Both ways of Vonage's trust. We sign what we ask of its REST interface with the application's private key, which is a
JSON Web Token too. Its webhooks, and its WebSockets where the NCCO asks for it, carry one signed with the
account's signature secret: https://developer.vonage.com/en/getting-started/concepts/webhooks#decoding-signed-webhooks,
https://developer.vonage.com/en/getting-started/concepts/authentication#json-web-tokens
"""

from __future__ import annotations

import hmac
import json
import uuid
from hashlib import sha256
from urllib.parse import parse_qsl, urlsplit

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from app.gateways.received import Received

__all__ = ("application_key", "application_token", "is_signed_by_vonage")

MAX_AGE_S = 300
"""Of a token, theirs and ours."""


def application_key(pem: str) -> RSAPrivateKey:
    """
    :raises ValueError: it is none, or locked with a password.
    """
    try:
        key = load_pem_private_key(pem.encode(), None)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(str(error)) from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("not an RSA key")  # noqa: TRY004 - the text is what is wrong, not its type
    return key


def application_token(application_id: str, key: RSAPrivateKey, now_s: float) -> str:
    """For one request to the REST interface."""
    issued_s = int(now_s)
    claims = {"application_id": application_id, "iat": issued_s, "exp": issued_s + MAX_AGE_S, "jti": str(uuid.uuid4())}
    return jwt.encode(claims, key, algorithm="RS256")


def is_signed_by_vonage(request: Received, secret: str, application_id: str | None, now_s: float) -> bool:
    """The token is at most five minutes old, of this application, and of this payload where it says of which."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return False
    try:
        claims = jwt.decode(
            token.strip(),
            secret,
            algorithms=["HS256"],
            options={"require": ["iat"], "verify_iat": False, "verify_aud": False},  # the age is judged below
        )
    except jwt.PyJWTError:
        return False
    issued_s = claims["iat"]
    if not isinstance(issued_s, int | float) or abs(now_s - issued_s) > MAX_AGE_S:
        return False
    if application_id is not None and claims.get("application_id", application_id) != application_id:
        return False
    claimed = claims.get("payload_hash")
    return request.is_upgrade or claimed is None or hmac.compare_digest(_payload_hash(request), str(claimed).encode())


def _payload_hash(request: Received) -> bytes:
    """Of the body of a POST; of a GET, of its parameters in their order as a JSON object without blanks."""
    if request.method == "POST":
        return sha256(request.body).hexdigest().encode()
    parameters = dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))
    return sha256(json.dumps(parameters, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest().encode()
