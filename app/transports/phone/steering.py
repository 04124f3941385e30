"""What an agent asks of a phone call: in the stream where the gateway has a message for it, else over REST."""

from __future__ import annotations

from app.gateways.control import CallControl, GatewayError, Operation
from app.transports.phone.line import PhoneLine
from app.wire.phone.api import PhoneCall

__all__ = ("Steering",)


class Steering:
    """Of one call. ``control``: the gateway's REST interface, where it is configured."""

    def __init__(self, call: PhoneCall, line: PhoneLine, control: CallControl | None) -> None:
        self._call = call
        self._line = line
        self._control = control

    async def hang_up(self) -> bool:
        """False: the gateway offers no way but the closing of its socket.

        :raises GatewayError:
        """
        if self._line.abilities.hang_up:
            self._line.hang_up()
            return True
        if self._control is None or "hang_up" not in self._control.operations:
            return False
        await self._control.hang_up(self._call.call_id)
        return True

    async def transfer(self, to: str) -> None:
        """
        :raises GatewayError:
        """
        call = self._call
        ours = call.caller if "call" in call.parameters else call.callee  # the key of a call that was started here
        await self._rest("transfer").transfer(call.call_id, to, caller_id=ours)

    async def send_digits(self, digits: str) -> None:
        """
        :raises GatewayError:
        """
        if self._line.abilities.digits_out:
            self._line.send_digits(digits)
        else:
            await self._rest("send_digits").send_digits(self._call.call_id, digits)

    def _rest(self, operation: Operation) -> CallControl:
        gateway = self._call.gateway
        if self._control is None:
            raise GatewayError(gateway, operation, f"no REST interface is configured in telephony.{gateway}")
        if operation not in self._control.operations:
            raise GatewayError(gateway, operation, "its REST interface has nothing for it")
        return self._control
