from __future__ import annotations

import hmac
from base64 import b64encode
from hashlib import sha256

import pytest

from app.gateways.received import received
from app.gateways.seen import SeenOnce
from app.gateways.signatures.audiohook import has_api_key, is_signed_by_genesys, key_bytes
from tests.app.gateways.asked import upgrade

# The example of Genesys' documentation, which its reference implementation is tested with.
API_KEY = "SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh"
CLIENT_SECRET = "TXlTdXBlclNlY3JldEtleVRlbGxOby0xITJAMyM0JDU="
CREATED_S = 1641013200
PATH = "/api/v1/voicebiometrics/ws"
INPUT = (
    '("@request-target" "@authority" "audiohook-organization-id" "audiohook-session-id" '
    '"audiohook-correlation-id" "x-api-key");keyid="SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh";'
    'nonce="VGhpc0lzQVVuaXF1ZU5vbmNl";alg="hmac-sha256";created=1641013200;expires=3282026430'
)
EXAMPLE = {
    "audiohook-organization-id": "d7934305-0972-4844-938e-9060eef73d05",
    "audiohook-session-id": "30b0e395-84d3-4570-ac13-9a62d8f514c0",
    "audiohook-correlation-id": "e160e428-53e2-487c-977d-96989bf5c99d",
    "x-api-key": API_KEY,
    "signature": "sig1=:NZBwyBHRRyRoeLqy1IzOa9VYBuI8TgMFt2GRDkDuJh4=:",
    "signature-input": f"sig1={INPUT}",
}


def is_theirs(
    headers: dict[str, str],
    *,
    now_s: float = CREATED_S,
    path: str = PATH,
    nonces: SeenOnce | None = None,
    api_key: str = API_KEY,
) -> bool:
    request = received(upgrade(path, headers, host="10.0.0.7"), b"", "https://audiohook.example.com")
    return is_signed_by_genesys(request, api_key, CLIENT_SECRET, nonces or SeenOnce(10), now_s)


def signed_again(given: str) -> dict[str, str]:
    """The example with other parameters, and a right signature of them: that alone is not enough."""
    values = {
        "@request-target": PATH,
        "@authority": "audiohook.example.com",
        **{name: EXAMPLE[name] for name in EXAMPLE if not name.startswith("signature")},
    }
    names = [name.strip('"') for name in given[1 : given.index(")")].split()]
    lines = [f'"{name}": {values[name]}' for name in names]
    base = "\n".join([*lines, f'"@signature-params": {given}'])
    signature = hmac.new(key_bytes(CLIENT_SECRET), base.encode(), sha256).digest()
    return {**EXAMPLE, "signature-input": f"sig1={given}", "signature": f"sig1=:{b64encode(signature).decode()}:"}


@pytest.mark.parametrize("now_s", [CREATED_S - 3, CREATED_S, CREATED_S + 10])
def test_the_documented_example_is_theirs(now_s: float) -> None:
    assert is_theirs(EXAMPLE, now_s=now_s)
    assert EXAMPLE["signature"] == signed_again(INPUT)["signature"]


def test_a_signature_is_good_once() -> None:
    nonces = SeenOnce(10)

    assert is_theirs(EXAMPLE, nonces=nonces)
    assert not is_theirs(EXAMPLE, nonces=nonces)
    assert not is_theirs(EXAMPLE, nonces=nonces, now_s=CREATED_S + 10)


@pytest.mark.parametrize("now_s", [CREATED_S - 4, CREATED_S + 11])
def test_a_signature_is_good_for_ten_seconds(now_s: float) -> None:
    assert not is_theirs(EXAMPLE, now_s=now_s)


@pytest.mark.parametrize(
    "changes",
    [
        {"signature": ""},
        {"signature-input": ""},
        {"signature": "sig2=:NZBwyBHRRyRoeLqy1IzOa9VYBuI8TgMFt2GRDkDuJh4=:"},
        {"signature": "sig1=:NZBwyBHRRyRoeLqy1IzOa9VYBuI8TgMFt2GRDkDuJh8=:"},
        {"signature": "sig1=:====:"},
        {"signature": "sig1=:A:"},
        {"audiohook-session-id": "30b0e395-84d3-4570-ac13-9a62d8f514c1"},
        {"x-api-key": "another"},
        {"signature-input": f"sig1={INPUT}".replace("3282026430", "3282026431")},
    ],
    ids=str,
)
def test_what_was_changed_is_not_theirs(changes: dict[str, str]) -> None:
    assert not is_theirs({**EXAMPLE, **changes})


@pytest.mark.parametrize("missing", EXAMPLE)
def test_nothing_may_be_missing(missing: str) -> None:
    assert not is_theirs({name: value for name, value in EXAMPLE.items() if name != missing})


def test_another_target_or_key_is_not_theirs() -> None:
    assert not is_theirs(EXAMPLE, path=f"{PATH}?more=1")
    assert not is_theirs(EXAMPLE, api_key="another")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('nonce="VGhpc0lzQVVuaXF1ZU5vbmNl"', 'nonce="short"'),
        (';nonce="VGhpc0lzQVVuaXF1ZU5vbmNl"', ""),
        (";created=1641013200", ""),
        ("expires=3282026430", "expires=1641013199"),
        ('keyid="SGVs', 'keyid="TGVs'),
        ('alg="hmac-sha256"', 'alg="hmac-sha512"'),
        ('"@authority" ', ""),
        (' "x-api-key"', ""),
    ],
)
def test_a_right_signature_of_too_little_is_not_good(old: str, new: str) -> None:
    assert old in INPUT
    assert not is_theirs(signed_again(INPUT.replace(old, new)))


def test_a_name_twice_is_not_good() -> None:
    assert not is_theirs(signed_again(INPUT.replace('"x-api-key")', '"x-api-key" "x-api-key")')))


def test_where_nothing_is_signed_the_key_is_all_there_is() -> None:
    request = received(upgrade(PATH, {"x-api-key": API_KEY}), b"", None)

    assert has_api_key(request, API_KEY)
    assert not has_api_key(request, "another")
