"""Telnyx' calls: https://developers.telnyx.com/api/call-control, and of TeXML applications, whose calls Call Control
steers as well. A command is done once, however often its ``command_id`` comes."""

from __future__ import annotations

import uuid
from typing import ClassVar

from app.gateways.control import GatewayError, NewCall, Operation
from app.gateways.destinations import checked, digits_of
from app.gateways.rest import Reply, Request, Rest, in_path

__all__ = ("TelnyxControl",)


class TelnyxControl:
    """``connection_id``: of the TeXML application, without which no call can be started."""

    name: ClassVar[str] = "telnyx"
    operations: ClassVar[frozenset[Operation]] = frozenset({"hang_up", "transfer", "send_digits", "call"})

    def __init__(self, api_key: str, connection_id: str | None, base_url: str = "https://api.telnyx.com") -> None:
        self._connection_id = connection_id
        self._rest = Rest(self.name, base_url, lambda: {"Authorization": f"Bearer {api_key}"})

    async def hang_up(self, call_id: str) -> None:
        await self._rest.ask("hang_up", _command(call_id, "hangup", {}))

    async def transfer(self, call_id: str, to: str, *, caller_id: str | None = None) -> None:
        """``caller_id``: shown instead of the number that was called."""
        checked(self.name, "transfer", to)
        shown = {} if caller_id is None else {"from": caller_id}
        await self._rest.ask("transfer", _command(call_id, "transfer", {"to": to, **shown}))

    async def send_digits(self, call_id: str, digits: str) -> None:
        body = {"digits": digits_of(self.name, digits)}
        await self._rest.ask("send_digits", _command(call_id, "send_dtmf", body))

    async def call(self, new: NewCall) -> str:
        if self._connection_id is None:
            raise GatewayError(self.name, "call", "telephony.telnyx.connection_id is not set")
        body = {"To": new.to, "From": new.from_, "Url": new.answer_url, "Method": "POST"}
        path = f"/v2/texml/calls/{in_path(self._connection_id)}"
        return await self._rest.ask_for("call_sid", "call", Request("POST", path, json=body, repeatable=False))

    async def aclose(self) -> None:
        await self._rest.aclose()


def _command(call_id: str, action: str, body: dict[str, str]) -> Request:
    path = f"/v2/calls/{in_path(call_id)}/actions/{action}"
    expected = _has_ended if action == "hangup" else lambda _reply: False
    return Request("POST", path, json={**body, "command_id": str(uuid.uuid4())}, expected=expected)


def _has_ended(reply: Reply) -> bool:
    """90018: the call has already ended."""
    errors = reply.body.get("errors") if isinstance(reply.body, dict) else None
    codes = (
        {str(error.get("code")) for error in errors if isinstance(error, dict)} if isinstance(errors, list) else set()
    )
    return reply.status == 422 and "90018" in codes
