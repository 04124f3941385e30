from __future__ import annotations

import asyncio

import pytest

from app.dial.call import DialError, Dialled, dial, open_call, phone_at
from app.dial.phone import Happened
from app.wav import Recording
from tests.caller import voice
from tests.server import RunningServer, running

pytestmark = pytest.mark.timeout(60)

HELLO = Recording(voice(600, 44_100), 44_100)


def dialled(server: RunningServer, gateway: str = "twilio", token: str | None = None) -> Dialled:
    return Dialled(gateway, f"{server.base_url.replace('http', 'ws', 1)}/v1/telephony/{gateway}", token=token)


async def test_a_recording_of_any_rate_is_said_and_answered() -> None:
    happened: list[Happened] = []
    async with running() as server:
        phone = await dial(dialled(server), HELLO, "", happened.append, asyncio.Event())

    assert phone.was_fine
    assert any(phone.heard)
    assert "started" == happened[0].what
    assert "closed" == happened[-1].what


async def test_keys_are_pressed_before_it_is_said() -> None:
    async with running() as server:
        phone = await dial(dialled(server), HELLO, "1#", lambda _: None, asyncio.Event())

    assert len(phone.of("mark")) >= 2


async def test_it_can_be_stopped() -> None:
    stopping = asyncio.Event()
    stopping.set()
    async with running() as server:
        phone = await dial(dialled(server), HELLO, "", lambda _: None, stopping)

    assert not any(phone.heard)
    assert phone.was_fine


async def test_a_server_that_refuses_or_is_not_there_is_told() -> None:
    async with running(auth={"api_keys": ["a key of mine"]}) as server:
        given = dialled(server, token="wrong")
        with pytest.raises(DialError, match=r"refused the call: HTTP 403 \(is --secret or --token right\?\)"):
            await open_call(given, phone_at(given))
    with pytest.raises(DialError, match="no server answers at"):
        await open_call(given, phone_at(given))


async def test_half_a_secret_is_told() -> None:
    given = Dialled("asterisk", "ws://127.0.0.1:1", secret="ann")
    with pytest.raises(DialError, match="--secret: two parts"):
        await open_call(given, phone_at(given))
