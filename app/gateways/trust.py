"""May this connection, or this webhook, be trusted to come from the gateway that it says it is from?

Where the gateway's secret is set, its signature (or password) must be right, and nothing else counts. Elsewhere a
one-shot token is asked for (in the path, as ``?token=``, or the parameter ``token`` of the stream's start), or an
ordinary credential with the scope ``talk``, which an open server on loopback does not need.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from starlette.requests import HTTPConnection
from starlette.types import Scope as AsgiScope

from app.auth import Forbidden, Gate, Identity, Scope, Unauthorised, bearer
from app.gateways.checks import stream_checks, webhook_checks
from app.gateways.outbound import OutboundCalls
from app.gateways.received import received
from app.gateways.tokens import OneShotTokens
from app.settings.telephony import Telephony

__all__ = ("Trust",)

GENESYS_DELAY_S = 0.5
"""A refusal of AudioHook comes so late, as Genesys asks: how long it takes tells nothing of why."""


class Trust:
    """One for a server: it remembers what was used."""

    def __init__(
        self,
        settings: Telephony,
        gate: Gate,
        tokens: OneShotTokens,
        outbound: OutboundCalls,
        *,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._gate = gate
        self._tokens = tokens
        self._outbound = outbound
        self._streams = stream_checks(settings, clock_s)
        self._webhooks = webhook_checks(settings, clock_s)

    async def check_upgrade(self, gateway: str | None, scope: AsgiScope) -> Identity | None:
        """Before the socket is accepted. None: nothing speaks against it yet, and ``check_start`` decides.

        ``gateway`` is None on the path that recognises the gateway from its first messages: nothing is decided there.

        :raises Unauthorised: of AudioHook half a second late.
        :raises Forbidden: a credential without ``talk``, or one that comes from a foreign web site.
        """
        if gateway is None:
            return None
        check = self._streams.get(gateway)
        verdict = check(received(scope, b"", self._settings.public_url)) if check is not None else None
        if verdict is False:
            if gateway == "audiohook":
                await asyncio.sleep(GENESYS_DELAY_S)
            raise Unauthorised
        if verdict:
            return _identity(gateway)
        connection = HTTPConnection(scope)
        token = connection.path_params.get("token") or _credential(connection)
        if token is not None:
            return self._by_token(gateway, token, connection)
        if check is not None:
            return None
        try:
            return self._by_credential(None, connection)
        except (Unauthorised, Forbidden):
            return None

    async def check_start(
        self, gateway: str, scope: AsgiScope, parameters: Mapping[str, str], identity: Identity | None
    ) -> Identity:
        """With the parameters that the stream started with, and what ``check_upgrade`` said.

        :raises Unauthorised: Forbidden: as ``check_upgrade``.
        """
        identity = identity or await self.check_upgrade(gateway, scope)
        if identity is not None:
            return identity
        token = parameters.get("token")
        if not token:
            raise Unauthorised
        return self._by_token(gateway, token, HTTPConnection(scope))

    def check_webhook(self, gateway: str, scope: AsgiScope, body: bytes) -> Identity:
        """Before a webhook is answered. One that we sent along with a call is known by the key in its query.

        :raises Unauthorised: Forbidden: as ``check_upgrade``.
        """
        check = self._webhooks.get(gateway)
        connection = HTTPConnection(scope)
        if check is not None:
            known = check(received(scope, body, self._settings.public_url))
        else:
            known = self._outbound.knows(connection.query_params.get("call", "")) or None
        if known is False:
            raise Unauthorised
        return _identity(gateway) if known else self._by_credential(_credential(connection), connection)

    def stream_token(self, gateway: str) -> str | None:
        """What a stream that a webhook of ours asks for has to bring along; None where it is signed instead."""
        if gateway in self._streams and gateway != "telnyx":  # TeXML gives no stream_auth_token along
            return None
        return self._tokens.mint(gateway, self._settings.token_ttl)

    def _by_token(self, gateway: str, token: str, connection: HTTPConnection) -> Identity:
        if self._tokens.use(gateway, token):
            return _identity(gateway)
        if gateway in self._streams:
            raise Unauthorised
        return self._by_credential(token, connection)

    def _by_credential(self, token: str | None, connection: HTTPConnection) -> Identity:
        self._gate.check_origin(connection.headers)
        address = connection.client.host if connection.client is not None else "unknown"
        identity = self._gate.identify(token, address)
        identity.require(Scope.TALK, identity.session_id)
        return identity


def _credential(connection: HTTPConnection) -> str | None:
    return bearer(connection.headers, connection.query_params, connection.scope.get("subprotocols", []))


def _identity(gateway: str) -> Identity:
    return Identity(f"gateway:{gateway}", frozenset({Scope.TALK}))
