from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import MutableMapping
from typing import Any

import pytest

from app.settings.telephony import Telephony
from app.transports.phone.farewell import Farewell
from app.transports.phone.greeting import GoneError, Greeted, greet
from app.wire.phone.api import Message, PhoneCall, Started
from app.wire.phone.far.catalogue import GATEWAYS

RECOGNISED = [name for name in GATEWAYS if not name.startswith("freeswitch")]


class Socket:
    """Gives the messages, then nothing for ever; or the end, where there is one."""

    def __init__(self, messages: list[Message], *, ends: bool = False) -> None:
        self.sent: list[MutableMapping[str, Any]] = []
        self._messages = deque(messages)
        self._ends = ends

    async def receive(self) -> MutableMapping[str, Any]:
        if self._messages:
            message = self._messages.popleft()
            return {"type": "websocket.receive", "text" if isinstance(message, str) else "bytes": message}
        if not self._ends:
            await asyncio.Event().wait()
        return {"type": "websocket.disconnect", "code": 1006}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.sent.append(message)


async def greeted(gateway: str | None, socket: Socket, limit_s: float = 5.0) -> Greeted:
    return await greet(gateway, Telephony(), socket.receive, socket.send, limit_s=limit_s)


def started(gateway: str) -> list[Message]:
    far = GATEWAYS[gateway]()
    form = far.formats[0]
    call = PhoneCall(gateway, "call-1", form, form, "stream-1", "+1555", "+1556", {"who": "Ann"})
    return far.encode(Started(call))


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_each_gateway_tells_of_its_call(gateway: str) -> None:
    given = await greeted(gateway, Socket(started(gateway)))

    assert (gateway, "call-1") == (given.call.gateway, given.call.call_id)
    assert "Ann" == given.call.parameters["who"]
    assert gateway == given.codec.name


@pytest.mark.parametrize("gateway", RECOGNISED)
async def test_each_is_recognised_by_how_it_begins(gateway: str) -> None:
    given = await greeted(None, Socket(started(gateway)))

    assert (gateway, "call-1") == (given.call.gateway, given.call.call_id)


async def test_what_a_protocol_asks_for_before_the_call_is_answered() -> None:
    socket = Socket(started("audiohook"))
    await greeted("audiohook", socket)

    assert "opened" == json.loads(socket.sent[0]["text"])["type"]


async def test_whoever_says_nothing_is_waited_for_no_longer_than_the_limit() -> None:
    with pytest.raises(Farewell, match=r"no start within 0\.01 s") as farewell:
        await greeted("twilio", Socket([]), limit_s=0.01)

    assert 1008 == farewell.value.code


@pytest.mark.parametrize(
    ("first", "why"), [("{", "not JSON"), ('{"event": "dance"}', "event"), ("[]", "not an object")]
)
@pytest.mark.parametrize("gateway", ["twilio", None])
async def test_what_is_no_gateways_message_is_told(gateway: str | None, first: str, why: str) -> None:
    with pytest.raises(Farewell, match=why) as farewell:
        await greeted(gateway, Socket([first]))

    assert 1007 == farewell.value.code


async def test_whoever_goes_on_without_a_start_is_not_listened_to_for_ever() -> None:
    with pytest.raises(Farewell, match="no start among the first messages"):
        await greeted("twilio", Socket(['{"event": "connected"}'] * 99))


async def test_one_that_leaves_has_left() -> None:
    with pytest.raises(GoneError):
        await greeted("twilio", Socket([], ends=True))


async def test_one_that_hangs_up_before_its_call_has_left() -> None:
    with pytest.raises(GoneError):
        await greeted("twilio", Socket(['{"event": "stop"}']))
