"""jambonz' calls: https://docs.jambonz.org/reference/rest-call-control/calls/update-call. Starting a call would need
the vendors of a speech service besides, which nobody here knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import ClassVar

from app.gateways.control import GatewayError, NewCall, Operation
from app.gateways.destinations import checked, digits_of
from app.gateways.rest import Request, Rest, in_path

__all__ = ("JambonzControl",)

PAUSE_S = 0.5


class JambonzControl:
    """``dial_url`` as Plivo's; ``webhook`` is the name and the password that our webhooks want, if any."""

    name: ClassVar[str] = "jambonz"
    operations: ClassVar[frozenset[Operation]] = frozenset({"hang_up", "transfer", "send_digits"})

    def __init__(
        self,
        account_sid: str,
        api_key: str,
        dial_url: Callable[[str], str],
        base_url: str,
        *,
        webhook: Mapping[str, str] | None = None,
    ) -> None:
        self._calls = f"/v1/Accounts/{in_path(account_sid)}/Calls"
        self._dial_url = dial_url
        self._webhook = dict(webhook or {})
        self._rest = Rest(self.name, base_url, lambda: {"Authorization": f"Bearer {api_key}"})

    async def hang_up(self, call_id: str) -> None:
        body = {"call_status": "completed"}
        request = Request("PUT", self._path(call_id), json=body, expected=lambda reply: reply.status == 404)
        await self._rest.ask("hang_up", request)

    async def transfer(self, call_id: str, to: str, *, caller_id: str | None = None) -> None:
        """The caller's own number is shown, whatever ``caller_id`` is."""
        del caller_id
        checked(self.name, "transfer", to)
        hook = {"url": self._dial_url(to), "method": "POST", **self._webhook}
        await self._rest.ask("transfer", Request("PUT", self._path(call_id), json={"call_hook": hook}))

    async def send_digits(self, call_id: str, digits: str) -> None:
        for digit in digits_of(self.name, digits):
            if digit == "w":
                await asyncio.sleep(PAUSE_S)
                continue
            request = Request("PUT", self._path(call_id), json={"dtmf": {"digit": digit}}, repeatable=False)
            await self._rest.ask("send_digits", request)

    async def call(self, new: NewCall) -> str:
        """:raises GatewayError: always."""
        raise GatewayError(self.name, "call", f"{new.to} cannot be called from here; start the call in jambonz")

    async def aclose(self) -> None:
        await self._rest.aclose()

    def _path(self, call_id: str) -> str:
        return f"{self._calls}/{in_path(call_id)}"
