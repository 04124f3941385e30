"""A caller whose phone lies on the table and is loud: what it plays comes back over the gateway."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from tests.e2e.phone_calls import AgentOfCalls, Conversation, agent_of_calls, on_the_phone
from tests.e2e.speakerphone import Speakerphone
from tests.e2e.test_phone_calls import ANSWERS, TALE
from tests.recordings import TWO_CITIES, plain
from tests.server import serving

pytestmark = pytest.mark.timeout(180)


def loud(pcm: bytes) -> bytes:
    """As people speak into a microphone; the recording is 10 dB fainter."""
    return (np.frombuffer(pcm, "<i2").astype(np.int32) * 3).clip(-32_768, 32_767).astype("<i2").tobytes()


async def a_call_that_is_broken_into(
    base_url: str, agent: AgentOfCalls, room: Speakerphone, pcm: bytes
) -> Conversation:
    """By its owner, once the agent has spoken for five seconds; nobody interrupts it before."""
    async with on_the_phone(base_url, "twilio", agent, room=room) as call:
        phone = call.phone
        await phone.until(lambda phone: phone.sounded_ms > 5_000)
        assert ([], []) == (call.of("turn"), call.of("turn.interrupted"))
        phone.say(pcm)
        await call.until(lambda call: bool(call.of("turn")))
    return call


async def test_pains_2_a_speakerphone_on_a_phone_line_does_not_interrupt_and_its_owner_does() -> None:
    breaks_in = loud(await asyncio.to_thread(TWO_CITIES.phrase, 0, 8_000))
    rooms = [Speakerphone(delay_ms=200, below_db=12.0), Speakerphone(delay_ms=60, below_db=25.0)]
    async with agent_of_calls({**ANSWERS, "session.started": [{"text": TALE}]}) as agent:
        with serving({"BELUGA_AGENT__PROVIDER": "webhook", "BELUGA_AGENT__URL": agent.url}) as server:
            callers = [a_call_that_is_broken_into(server.base_url, agent, room, breaks_in) for room in rooms]
            calls = await asyncio.gather(*callers)

    for call in calls:
        assert TALE.startswith(call.of("turn.interrupted")[0]["heard_text"])
        assert {"best", "worst"} & set(plain(call.of("turn")[0]["transcript"]).split())
