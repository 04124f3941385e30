"""Exotel's calls: https://developer.exotel.com/docs/agentstream/developer-guide. They can be started, and that is all:
a call goes on with the next applet when its stream is closed."""

from __future__ import annotations

from typing import ClassVar

from app.gateways.control import GatewayError, NewCall, Operation
from app.gateways.rest import Request, Rest, in_path
from app.gateways.signatures.basic import basic

__all__ = ("ExotelControl",)


class ExotelControl:
    name: ClassVar[str] = "exotel"
    operations: ClassVar[frozenset[Operation]] = frozenset({"call"})

    def __init__(self, account_sid: str, api_key: str, api_token: str, base_url: str) -> None:
        self._connect = f"/v1/accounts/{in_path(account_sid)}/calls/connect"
        self._rest = Rest(self.name, base_url, lambda: basic(api_key, api_token))

    async def hang_up(self, call_id: str) -> None:
        raise self._missing("hang_up", call_id)

    async def transfer(self, call_id: str, to: str, *, caller_id: str | None = None) -> None:
        del to, caller_id
        raise self._missing("transfer", call_id)

    async def send_digits(self, call_id: str, digits: str) -> None:
        del digits
        raise self._missing("send_digits", call_id)

    async def call(self, new: NewCall) -> str:
        form = {
            "from": new.to,  # whom Exotel rings
            "callerid": new.from_,
            "streamurl": new.stream_url,
            "streamtype": "bidirectional",
        }
        request = Request("POST", self._connect, form=form, repeatable=False)
        return await self._rest.ask_for("call.sid", "call", request)

    async def aclose(self) -> None:
        await self._rest.aclose()

    def _missing(self, operation: Operation, call_id: str) -> GatewayError:
        return GatewayError(self.name, operation, f"Exotel has nothing for it (call {call_id})")
