"""Twilio's calls: https://www.twilio.com/docs/voice/api/call-resource."""

from __future__ import annotations

from typing import ClassVar

from app.gateways.answers import twiml_dial
from app.gateways.control import GatewayError, NewCall, Operation
from app.gateways.rest import Reply, Request, Rest, in_path
from app.gateways.signatures.basic import basic

__all__ = ("TwilioControl", "api_url")


def api_url(edge: str | None, region: str | None) -> str:
    """https://www.twilio.com/docs/global-infrastructure: an edge alone is one of us1."""
    parts = ("api", edge, region or (edge and "us1"), "twilio.com")
    return "https://" + ".".join(part for part in parts if part)


class TwilioControl:
    name: ClassVar[str] = "twilio"
    operations: ClassVar[frozenset[Operation]] = frozenset({"hang_up", "transfer", "call"})

    def __init__(self, account_sid: str, auth_token: str, base_url: str) -> None:
        self._calls = f"/2010-04-01/Accounts/{in_path(account_sid)}/Calls"
        self._rest = Rest(self.name, base_url, lambda: basic(account_sid, auth_token))

    async def hang_up(self, call_id: str) -> None:
        request = Request("POST", self._path(call_id), form={"Status": "completed"}, expected=_has_ended)
        await self._rest.ask("hang_up", request)

    async def transfer(self, call_id: str, to: str, *, caller_id: str | None = None) -> None:
        """The caller's own number is shown, whatever ``caller_id`` is."""
        del caller_id
        form = {"Twiml": twiml_dial(to).decode()}
        await self._rest.ask("transfer", Request("POST", self._path(call_id), form=form))

    async def send_digits(self, call_id: str, digits: str) -> None:
        """Twilio plays digits only instead of the stream."""
        del call_id, digits
        raise GatewayError(self.name, "send_digits", "no digits can be sent into a stream")

    async def call(self, new: NewCall) -> str:
        form = {"To": new.to, "From": new.from_, "Url": new.answer_url, "Method": "POST"}
        request = Request("POST", f"{self._calls}.json", form=form, repeatable=False)
        return await self._rest.ask_for("sid", "call", request)

    async def aclose(self) -> None:
        await self._rest.aclose()

    def _path(self, call_id: str) -> str:
        return f"{self._calls}/{in_path(call_id)}.json"


def _has_ended(reply: Reply) -> bool:
    """20404: no such call (any more); 21220: it is not in progress."""
    code = reply.body.get("code") if isinstance(reply.body, dict) else None
    return (reply.status, code) in {(404, 20404), (400, 21220)}
