"""Plivo's calls: https://plivo.com/docs/voice/api/call."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from app.gateways.control import NewCall, Operation
from app.gateways.destinations import checked, digits_of
from app.gateways.rest import Request, Rest, in_path
from app.gateways.signatures.basic import basic

__all__ = ("PlivoControl",)


class PlivoControl:
    """``dial_url`` gives the URL of a webhook of ours that answers with the dialling of a destination.

    :raises GatewayError: from ``dial_url`` too, where the world cannot reach us.
    """

    name: ClassVar[str] = "plivo"
    operations: ClassVar[frozenset[Operation]] = frozenset({"hang_up", "transfer", "send_digits", "call"})

    def __init__(
        self,
        auth_id: str,
        auth_token: str,
        dial_url: Callable[[str], str],
        base_url: str = "https://api.plivo.com",
    ) -> None:
        self._calls = f"/v1/Account/{in_path(auth_id)}/Call/"
        self._dial_url = dial_url
        self._rest = Rest(self.name, base_url, lambda: basic(auth_id, auth_token))

    async def hang_up(self, call_id: str) -> None:
        request = Request("DELETE", self._path(call_id), expected=lambda reply: reply.status == 404)
        await self._rest.ask("hang_up", request)

    async def transfer(self, call_id: str, to: str, *, caller_id: str | None = None) -> None:
        """The caller's own number is shown, whatever ``caller_id`` is."""
        del caller_id
        checked(self.name, "transfer", to)
        body = {"legs": "aleg", "aleg_url": self._dial_url(to), "aleg_method": "POST"}
        await self._rest.ask("transfer", Request("POST", self._path(call_id), json=body))

    async def send_digits(self, call_id: str, digits: str) -> None:
        body = {"digits": digits_of(self.name, digits)}
        await self._rest.ask("send_digits", Request("POST", f"{self._path(call_id)}DTMF/", json=body, repeatable=False))

    async def call(self, new: NewCall) -> str:
        body = {"from": new.from_, "to": new.to, "answer_url": new.answer_url, "answer_method": "POST"}
        return await self._rest.ask_for(
            "request_uuid", "call", Request("POST", self._calls, json=body, repeatable=False)
        )

    async def aclose(self) -> None:
        await self._rest.aclose()

    def _path(self, call_id: str) -> str:
        return f"{self._calls}{in_path(call_id)}/"
