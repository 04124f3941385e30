"""Calls that this server has asked a gateway for, until they come back as a stream: what the agent is told of each."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping

__all__ = ("OutboundCalls",)

TTL_S = 600.0
"""From the asking to the answering of the callee."""
_MOST = 10_000


class OutboundCalls:
    """A key goes out with the call, in the URL of the webhook, and comes back with it; nobody else can know it. Past
    ``_MOST`` the oldest is forgotten: it comes back as a call without metadata."""

    def __init__(self, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._expected: dict[str, tuple[float, dict[str, object]]] = {}

    def expect(self, metadata: Mapping[str, object]) -> str:
        """The key of a call that is about to be started."""
        self._forget_old()
        key = secrets.token_hex(16)  # letters and digits: Plivo gives nothing else along
        self._expected[key] = (self._clock_s() + TTL_S, dict(metadata))
        return key

    def knows(self, key: str) -> bool:
        self._forget_old()
        return key in self._expected

    def take(self, key: str) -> dict[str, object]:
        """The metadata of the call that has come back; empty where nothing is known of it."""
        self._forget_old()
        return self._expected.pop(key, (0.0, {}))[1]

    def _forget_old(self) -> None:
        """They stand in the order in which they end."""
        now_s = self._clock_s()
        while self._expected:
            oldest, (until_s, _) = next(iter(self._expected.items()))
            if until_s > now_s and len(self._expected) < _MOST:
                return
            del self._expected[oldest]
