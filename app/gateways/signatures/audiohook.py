"""Genesys AudioHook signs the upgrade as a draft of RFC 9421 says, with HMAC-SHA256 and the client secret.

https://developer.genesys.cloud/devapps/audiohook/security and purecloudlabs/audiohook-reference-implementation.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64decode
from dataclasses import dataclass
from hashlib import sha256

from app.gateways.received import Received, unix_time
from app.gateways.seen import SeenOnce

__all__ = ("has_api_key", "is_signed_by_genesys", "key_bytes")

MAX_AGE_S = 10
MAX_SKEW_S = 3
"""How far the two clocks may be apart."""
LEAST_NONCE_CHARACTERS = 22

_REQUIRED = frozenset(
    {
        "@request-target",
        "@authority",
        "audiohook-organization-id",
        "audiohook-session-id",
        "audiohook-correlation-id",
        "x-api-key",
    }
)
# The one shape that Genesys writes of what RFC 8941 allows: a list of names, then numbers and plain strings.
_INPUT = re.compile(r'([a-z*][\w.*-]*)=(\(((?:"[^"\\]+" ?)+)\)((?:;[a-z]+=(?:\d{1,15}|"[^"\\]*"))*))', re.ASCII)
_PARAMETER = re.compile(r';([a-z]+)=(?:(\d+)|"([^"]*)")', re.ASCII)


@dataclass(frozen=True, slots=True)
class _Input:
    """``text`` is the part of ``Signature-Input`` that is signed itself."""

    label: str
    text: str
    components: tuple[str, ...]
    created_s: int
    expires_s: int | None
    key_id: str
    nonce: str
    algorithm: str


def key_bytes(client_secret: str) -> bytes:
    """
    :raises ValueError: it is not in base64.
    """
    return b64decode(client_secret, validate=True)


def has_api_key(request: Received, api_key: str) -> bool:
    return hmac.compare_digest(request.headers.get("x-api-key", "").encode(), api_key.encode())


def is_signed_by_genesys(request: Received, api_key: str, client_secret: str, nonces: SeenOnce, now_s: float) -> bool:
    """A signature is good once: ``nonces`` remembers it for as long as it would be."""
    signed = _read(request.headers.get("signature-input", ""))
    base = None if signed is None else _base(signed, request)
    if signed is None or base is None:
        return False
    expected = hmac.new(key_bytes(client_secret), base.encode(), sha256).digest()
    is_right = hmac.compare_digest(expected, _signature(request.headers.get("signature", ""), signed.label))
    has_key = has_api_key(request, api_key) and hmac.compare_digest(signed.key_id.encode(), api_key.encode())
    until_s = signed.created_s + MAX_AGE_S
    is_fresh = signed.created_s <= now_s + MAX_SKEW_S and now_s <= min(until_s, signed.expires_s or until_s)
    is_good = signed.algorithm == "hmac-sha256" and len(signed.nonce) >= LEAST_NONCE_CHARACTERS
    if not (is_right and has_key and is_fresh and is_good):
        return False
    return nonces.first(signed.nonce, until_s=until_s + 1, now_s=now_s)


def _read(header: str) -> _Input | None:
    match = _INPUT.fullmatch(header.strip())
    if match is None:
        return None
    label, text, names, tail = match.groups()
    parameters = {name: number or string for name, number, string in _PARAMETER.findall(tail)}
    components = tuple(re.findall(r'"([^"]+)"', names))
    created_s, expires_s = unix_time(parameters.get("created", "")), unix_time(parameters.get("expires", ""))
    if created_s is None or (expires_s is None and "expires" in parameters):
        return None
    return _Input(
        label=label,
        text=text,
        components=components,
        created_s=created_s,
        expires_s=expires_s,
        key_id=parameters.get("keyid", ""),
        nonce=parameters.get("nonce", ""),
        algorithm=parameters.get("alg", "hmac-sha256"),
    )


def _base(signed: _Input, request: Received) -> str | None:
    """What is signed: a line for each component, and one for the parameters. None where something is missing."""
    if not _REQUIRED.issubset(signed.components) or len(set(signed.components)) < len(signed.components):
        return None
    derived = {"@request-target": request.target, "@authority": request.authority}
    lines = []
    for name in signed.components:
        value = derived.get(name) if name.startswith("@") else request.headers.get(name)
        if value is None:
            return None
        lines.append(f'"{name}": {value.strip()}')
    return "\n".join([*lines, f'"@signature-params": {signed.text}'])


def _signature(header: str, label: str) -> bytes:
    """Empty where there is none of that label."""
    match = re.fullmatch(rf"{re.escape(label)}=:([A-Za-z0-9+/=]*):", header.strip())
    try:
        return b"" if match is None else b64decode(match[1], validate=True)
    except ValueError:
        return b""
