from __future__ import annotations

from typing import ClassVar

import pytest

from app.gateways.control import GatewayError, NewCall, Operation
from app.transports.phone.steering import Steering
from tests.app.transports.phone.test_line import Rig


class Control:
    """A REST interface that notes what it is asked."""

    name: ClassVar[str] = "twilio"
    operations: ClassVar[frozenset[Operation]] = frozenset({"hang_up", "transfer"})

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.fails = False

    async def hang_up(self, call_id: str) -> None:
        self.asked.append(("hang_up", call_id))
        if self.fails:
            raise GatewayError(self.name, "hang_up", "is down", status=503)

    async def transfer(self, call_id: str, to: str, *, caller_id: str | None = None) -> None:
        self.asked.append(("transfer", call_id, to))

    async def send_digits(self, call_id: str, digits: str) -> None:
        self.asked.append(("send_digits", call_id, digits))

    async def call(self, new: NewCall) -> str:
        raise NotImplementedError

    async def aclose(self) -> None:
        pass


class DigitsControl(Control):
    operations: ClassVar[frozenset[Operation]] = frozenset({"send_digits"})


def steering(rig: Rig, control: Control | None) -> Steering:
    return Steering(rig.call, rig.line, control)


async def test_a_gateway_with_a_message_for_it_is_told_in_the_stream() -> None:
    rig, control = Rig("asterisk"), Control()

    assert await steering(rig, control).hang_up()
    assert (["HangUp"], []) == (await rig.written(), control.asked)


async def test_another_is_told_over_rest() -> None:
    rig, control = Rig("twilio"), Control()

    assert await steering(rig, control).hang_up()
    assert ([], [("hang_up", rig.call.call_id)]) == (await rig.written(), control.asked)


async def test_without_either_it_is_left_to_the_closing_of_the_socket() -> None:
    assert not await steering(Rig("twilio"), None).hang_up()


async def test_a_call_is_transferred_over_rest() -> None:
    rig, control = Rig(), Control()
    await steering(rig, control).transfer("+15550100")

    assert [("transfer", rig.call.call_id, "+15550100")] == control.asked


async def test_what_is_missing_is_named() -> None:
    with pytest.raises(GatewayError) as unset:
        await steering(Rig(), None).transfer("+15550100")
    with pytest.raises(GatewayError) as unable:
        await steering(Rig(), Control()).send_digits("1")

    assert "twilio: transfer: no REST interface is configured in telephony.twilio" == str(unset.value)
    assert "twilio: send_digits: its REST interface has nothing for it" == str(unable.value)


async def test_digits_are_sent_over_rest_where_it_takes_them() -> None:
    rig, control = Rig(), DigitsControl()
    await steering(rig, control).send_digits("12")

    assert [("send_digits", rig.call.call_id, "12")] == control.asked
