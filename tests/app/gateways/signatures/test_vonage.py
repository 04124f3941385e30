from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

import jwt
import pytest
from vonage_jwt import JwtClient, verify_signature

from app.gateways.received import Received
from app.gateways.signatures.vonage import application_key, application_token, is_signed_by_vonage
from tests.app.gateways.keys import ED25519, RSA_PEM, RSA_PUBLIC_PEM

SECRET = "the signature secret of an account at Vonage, long enough for any hash"
APPLICATION = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab"
ANSWER = "https://voice.example.com/v1/telephony/vonage/voice"
BODY = b'{"from":"15550100","to":"15550199","uuid":"u-1"}'


def claims(**changes: object) -> dict[str, object]:
    """As in Vonage's documentation of signed webhooks."""
    given: dict[str, object] = {
        "iat": int(time.time()),
        "jti": "c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5",
        "iss": "Vonage",
        "payload_hash": sha256(BODY).hexdigest(),
        "api_key": "a1b2c3d",
        "application_id": APPLICATION,
    }
    return {name: value for name, value in (given | changes).items() if value is not None}


def signed(*, secret: str = SECRET, algorithm: str = "HS256", **changes: object) -> str:
    return jwt.encode(claims(**changes), secret, algorithm=algorithm)


def b64url(part: dict[str, object]) -> str:
    return urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def is_theirs(
    token: str, *, method: str = "POST", url: str = ANSWER, body: bytes = BODY, application: str | None = APPLICATION
) -> bool:
    request = Received(method, url, {"authorization": f"Bearer {token}"}, body)
    return is_signed_by_vonage(request, SECRET, application, time.time())


def test_a_webhook_is_theirs() -> None:
    token = signed()

    assert verify_signature(token, SECRET)  # says Vonage's own library
    assert is_theirs(token)


def test_a_webhook_signed_with_another_secret_is_not_theirs() -> None:
    token = signed(secret="the signature secret of somebody else entirely")

    assert not verify_signature(token, SECRET)
    assert not is_theirs(token)


@pytest.mark.parametrize(
    "changes",
    [
        {"iat": int(time.time()) - 400},
        {"iat": int(time.time()) + 4_000},  # however long after this the test runs
        {"iat": None},
        {"iat": "now"},
        {"exp": int(time.time()) - 1},
        {"application_id": "another"},
        {"payload_hash": sha256(b"another").hexdigest()},
        {"payload_hash": "ü"},
    ],
    ids=str,
)
def test_a_token_that_is_too_old_or_of_something_else_is_not_good(changes: dict[str, Any]) -> None:
    assert not is_theirs(signed(**changes))


def test_a_token_of_another_kind_is_not_good() -> None:
    assert not is_theirs(signed(algorithm="HS512"))
    assert not is_theirs(".".join([b64url({"alg": "none"}), b64url(claims()), ""]))
    assert not is_theirs("")
    assert not is_signed_by_vonage(Received("POST", ANSWER, {}), SECRET, None, time.time())


def test_the_application_is_looked_at_only_where_both_sides_name_it() -> None:
    assert is_theirs(signed(application_id="another"), application=None)
    assert is_theirs(signed(application_id=None))


def test_the_payload_of_a_get_is_its_query() -> None:
    query = json.dumps({"to": "15550199", "from": "+1 555"}, separators=(",", ":"))
    token = signed(payload_hash=sha256(query.encode()).hexdigest())

    assert is_theirs(token, method="GET", url=f"{ANSWER}?to=15550199&from=%2B1+555", body=b"")
    assert not is_theirs(token, method="GET", url=f"{ANSWER}?to=15550199&from=1555", body=b"")


def test_a_stream_brings_the_token_of_a_webhook() -> None:
    assert is_theirs(signed(), method="GET", url="wss://voice.example.com/v1/telephony/vonage", body=b"")


def test_our_own_tokens_are_as_those_of_vonages_library() -> None:
    key = application_key(RSA_PEM)
    tokens = (
        application_token(APPLICATION, key, time.time()),
        JwtClient(APPLICATION, RSA_PEM).generate_application_jwt().decode(),
    )
    ours, theirs = (jwt.decode(token, RSA_PUBLIC_PEM, algorithms=["RS256"]) for token in tokens)

    assert theirs.keys() == ours.keys()
    assert theirs["application_id"] == ours["application_id"]
    assert jwt.get_unverified_header(tokens[0]) == jwt.get_unverified_header(tokens[1])


def test_a_key_of_another_kind_is_refused() -> None:
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - for this one test
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    other = ED25519.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    locked = (
        application_key(RSA_PEM)
        .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password"))
        .decode()
    )
    for pem in ("", "nonsense", other, locked):
        with pytest.raises(ValueError, match=r".+"):
            application_key(pem)
