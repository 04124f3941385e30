"""Who is asking, and may they? API keys, JSON Web Tokens, and the tokens of single sessions.

Where neither an API key nor a JWT secret is set, the server is *open*: whoever reaches it may do everything, and it
serves loopback only. A browser on this machine must not lend that to any web site, so the ``Origin`` and, while open,
the ``Host`` of a request are checked too.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from urllib.parse import urlsplit

import jwt

from app.settings import Auth, is_loopback

__all__ = ("AUDIENCE", "Forbidden", "Gate", "Identity", "Scope", "Unauthorised", "bearer", "digest", "mint")

AUDIENCE = "beluga-voice"


class Scope(StrEnum):
    """``talk``: open an audio session. ``read``: see sessions and what was said. ``manage``: make, steer, end them."""

    TALK = "talk"
    READ = "read"
    MANAGE = "manage"


class Unauthorised(Exception):
    """No credential, or one that is not valid. Says nothing about which part was wrong."""


class Forbidden(Exception):
    """A valid credential that does not reach so far, or a request from a foreign web site."""


@dataclass(frozen=True, slots=True)
class Identity:
    """``subject`` tells callers apart for their rates and holds nothing secret; a ``session_id`` confines to it."""

    subject: str
    scopes: frozenset[Scope]
    session_id: str | None = None
    operator: bool = False
    """Holds an API key: may send the server to other hosts."""

    def require(self, scope: Scope, session_id: str | None = None) -> None:
        """
        :raises Forbidden:
        """
        confined = self.session_id is not None and self.session_id != session_id
        if scope not in self.scopes or confined:
            raise Forbidden


_EVERYTHING = frozenset(Scope)


class Gate:
    """``session_of`` finds the session that a token was minted for, by the token's digest."""

    def __init__(self, auth: Auth, *, insecure: bool, session_of: Callable[[str], str | None]) -> None:
        self._keys = tuple(digest(key.get_secret_value()) for key in auth.api_keys)
        self._secret = None if auth.jwt_secret is None else auth.jwt_secret.get_secret_value()
        self._origins = frozenset(origin.lower() for origin in auth.allowed_origins)
        self._open = not auth.configured
        self._everywhere = auth.configured or insecure
        self._session_of = session_of

    def identify(self, token: str | None, address: str) -> Identity:
        """``address``: where the caller connects from, the best name for one without a credential.

        :raises Unauthorised:
        """
        if token:
            fingerprint = digest(token)
            session_id = self._session_of(fingerprint)
            if session_id is not None:
                return Identity(f"session:{session_id}", _EVERYTHING, session_id=session_id)
            # Every key is compared, in constant time: how long it takes tells nothing.
            matches = [hmac.compare_digest(fingerprint, key) for key in self._keys]
            if any(matches):
                return Identity(f"key:{fingerprint[:12]}", _EVERYTHING, operator=True)
            if self._secret is not None:
                return self._read_jwt(token, self._secret)
        if self._open:
            return Identity(f"address:{address}", _EVERYTHING)
        raise Unauthorised

    def _read_jwt(self, token: str, secret: str) -> Identity:
        try:
            claims = jwt.decode(
                token, secret, algorithms=["HS256"], audience=AUDIENCE, options={"require": ["exp", "aud", "scope"]}
            )
        except jwt.PyJWTError:
            raise Unauthorised from None
        granted = str(claims["scope"]).split()
        scopes = frozenset(scope for scope in Scope if scope in granted)
        subject = claims.get("sub")
        return Identity(f"jwt:{subject}" if subject else f"jwt:{digest(token)[:12]}", scopes)

    def check_origin(self, headers: Mapping[str, str]) -> None:
        """Refuse what a foreign web site makes a browser send: cross-site requests, and names rebound to loopback.

        :raises Forbidden:
        """
        host = headers.get("host", "")
        if not self._everywhere and not _is_local(_hostname(f"//{host}")):
            raise Forbidden
        origin = headers.get("origin", "").lower()
        if not origin or origin in self._origins:
            return
        same = origin.partition("://")[2] == host.lower()
        if not same and not is_loopback(_hostname(origin)):
            raise Forbidden


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_local(hostname: str) -> bool:
    """Loopback, or a name without a dot: no foreign site can make the world's name servers resolve one."""
    return is_loopback(hostname) or "." not in hostname


def bearer(headers: Mapping[str, str], query: Mapping[str, str], subprotocols: list[str]) -> str | None:
    """The credential, from the three places where it may stand: header, query, subprotocol pair."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    if query.get("token"):
        return query["token"]
    if len(subprotocols) == 2 and subprotocols[0] == "bearer":
        return subprotocols[1]
    return None


def digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def mint(secret: str, scopes: frozenset[Scope], ttl_s: float, *, now_s: float | None = None) -> str:
    """A client token, signed with the server's JWT secret."""
    issued_s = int(time.time() if now_s is None else now_s)
    claims = {"aud": AUDIENCE, "iat": issued_s, "exp": issued_s + int(ttl_s), "scope": " ".join(sorted(scopes))}
    return jwt.encode(claims, secret, algorithm="HS256")
