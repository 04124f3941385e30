"""Everything that a server's phone transport and its telephony routes share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.auth import Gate
from app.gateways.control import CallControl
from app.gateways.controls import make_controls
from app.gateways.outbound import OutboundCalls
from app.gateways.tokens import OneShotTokens
from app.gateways.trust import Trust
from app.settings import Settings
from app.settings.telephony import Telephony

__all__ = ("Exchange",)


@dataclass(frozen=True, slots=True)
class Exchange:
    """``controls``: by gateway, of those whose REST interface is configured.

    Of a stream that has started, ``outbound.take(parameters.get("call", ""))`` is the metadata of a call that was
    started here.
    """

    settings: Telephony
    trust: Trust
    outbound: OutboundCalls
    controls: Mapping[str, CallControl]

    @classmethod
    def of(cls, settings: Settings, gate: Gate) -> Exchange:
        secret = settings.auth.jwt_secret
        tokens = OneShotTokens(None if secret is None else secret.get_secret_value())
        outbound = OutboundCalls()
        telephony = settings.telephony
        trust = Trust(telephony, gate, tokens, outbound)
        return cls(telephony, trust, outbound, make_controls(telephony, outbound))

    def stream(self, gateway: str, base_url: str, parameters: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        """The URL of a stream that a webhook of ours asks for, and its parameters, with the token that it needs.
        ``base_url``: how we were reached, where no public URL is set.

        A token in the path is looked at before the socket is accepted. Twilio and Telnyx have parameters for it, which
        no proxy on the way writes into its log.
        """
        base = (self.settings.public_url or base_url).rstrip("/")
        url = f"ws{base.removeprefix('http')}/v1/telephony/{gateway}"
        token = self.trust.stream_token(gateway)
        if token is None:
            return url, dict(parameters)
        if gateway in {"twilio", "telnyx"}:
            return url, {**parameters, "token": token}
        return f"{url}/{token}", dict(parameters)

    async def aclose(self) -> None:
        for control in self.controls.values():
            await control.aclose()
