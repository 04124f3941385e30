"""Vonage's calls: https://developer.vonage.com/en/api/voice. Numbers go without a plus."""

from __future__ import annotations

import time
from typing import ClassVar

from app.gateways.answers import ncco_dial
from app.gateways.control import GatewayError, NewCall, Operation
from app.gateways.destinations import digits_of
from app.gateways.rest import Reply, Request, Rest, in_path
from app.gateways.signatures.vonage import application_key, application_token

__all__ = ("VonageControl",)

_ENDED = frozenset({"busy", "cancelled", "completed", "failed", "rejected", "timeout", "unanswered"})


class VonageControl:
    name: ClassVar[str] = "vonage"
    operations: ClassVar[frozenset[Operation]] = frozenset({"hang_up", "transfer", "send_digits", "call"})

    def __init__(self, application_id: str, private_key_pem: str, base_url: str) -> None:
        """
        :raises ValueError: the key is none.
        """
        key = application_key(private_key_pem)

        def headers() -> dict[str, str]:
            return {"Authorization": f"Bearer {application_token(application_id, key, time.time())}"}

        self._rest = Rest(self.name, base_url, headers)

    async def hang_up(self, call_id: str) -> None:
        """Vonage refuses to end what has ended, with an error that says no more than that the request is bad: what
        became of the call is looked up."""
        request = Request("PUT", _path(call_id), json={"action": "hangup"}, expected=lambda it: it.status in {400, 404})
        reply = await self._rest.ask("hang_up", request)
        if reply.status == 400:
            now = await self._rest.ask("hang_up", Request("GET", _path(call_id), expected=lambda it: it.status == 404))
            if now.status != 404 and _status(now) not in _ENDED:
                raise GatewayError(self.name, "hang_up", f"HTTP 400: {reply.said}", status=400)

    async def transfer(self, call_id: str, to: str, *, caller_id: str | None = None) -> None:
        destination = {"type": "ncco", "ncco": ncco_dial(to, caller_id)}
        body = {"action": "transfer", "destination": destination}
        await self._rest.ask("transfer", Request("PUT", _path(call_id), json=body))

    async def send_digits(self, call_id: str, digits: str) -> None:
        body = {"digits": digits_of(self.name, digits).replace("w", "p")}
        await self._rest.ask("send_digits", Request("PUT", f"{_path(call_id)}/dtmf", json=body, repeatable=False))

    async def call(self, new: NewCall) -> str:
        body = {
            "to": [{"type": "phone", "number": new.to.removeprefix("+")}],
            "from": {"type": "phone", "number": new.from_.removeprefix("+")},
            "answer_url": [new.answer_url],
            "answer_method": "POST",
        }
        return await self._rest.ask_for("uuid", "call", Request("POST", "/v1/calls", json=body, repeatable=False))

    async def aclose(self) -> None:
        await self._rest.aclose()


def _path(call_id: str) -> str:
    return f"/v1/calls/{in_path(call_id)}"


def _status(reply: Reply) -> object:
    return reply.body.get("status") if isinstance(reply.body, dict) else None
