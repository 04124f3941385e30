"""Tokens that open one connection of one gateway, for those that sign nothing."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

import jwt

from app.gateways.seen import SeenOnce

__all__ = ("OneShotTokens",)

_AUDIENCE = "beluga-voice/{}"
_MOST_REMEMBERED = 100_000


class OneShotTokens:
    """Signed with the server's JWT secret, so that ``beluga-voice token`` and other processes can mint them too;
    without one, with a key that ends with this process. Each process by itself remembers what it has seen used."""

    def __init__(self, secret: str | None, *, clock_s: Callable[[], float] = time.time) -> None:
        self._secret = secret or secrets.token_urlsafe(32)
        self._clock_s = clock_s
        self._used = SeenOnce(_MOST_REMEMBERED)

    def mint(self, gateway: str, ttl_s: float) -> str:
        """Some 180 characters that may stand in a URL."""
        expires_s = int(self._clock_s() + ttl_s)
        claims = {"aud": _AUDIENCE.format(gateway), "exp": expires_s, "jti": secrets.token_urlsafe(12)}
        return jwt.encode(claims, self._secret, algorithm="HS256")

    def use(self, gateway: str, token: str) -> bool:
        """Whether it was good; from now on it is not."""
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=["HS256"],
                audience=_AUDIENCE.format(gateway),
                options={"require": ["exp", "aud", "jti"], "verify_exp": False},  # by our own clock, below
            )
        except jwt.PyJWTError:
            return False
        now_s, expires_s = self._clock_s(), int(claims["exp"])
        return expires_s > now_s and self._used.first(str(claims["jti"]), until_s=expires_s, now_s=now_s)
