"""What is written to a gateway, and in which order: the codec's own far side reads it."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from app.transports.phone.line import MOST_AHEAD_MS, PhoneLine
from app.wire.phone.api import (
    Codec,
    Command,
    Continue,
    HangUp,
    Mark,
    Pause,
    PhoneCall,
    Speak,
    Started,
)
from app.wire.phone.catalogue import CODECS
from app.wire.phone.far.catalogue import GATEWAYS
from tests.caller import voice


class Rig:
    """A line, and the gateway that it leads to."""

    def __init__(self, gateway: str = "twilio", stalled_after_s: float = 10.0) -> None:
        self.far = GATEWAYS[gateway]()
        self.codec: Codec = CODECS[gateway]()
        form = self.far.formats[0]
        call = PhoneCall(gateway, "call-1", form, form, "stream-1", parameters={"sampleRate": str(form.rate_hz)})
        for message in self.far.encode(Started(call)):
            for event in self.codec.decode(message):
                if isinstance(event, Started):
                    call = event.call
        self.call = call
        self.frame = voice(20, call.output.rate_hz)
        self.aborted = self.dropped = 0
        self.line = PhoneLine(self.codec, call, stalled_after_s=stalled_after_s, abort=self._abort, dropped=self._drop)
        self.commands: list[Command] = []
        self.close_code: int | None = None
        self.blocked: asyncio.Event | None = None
        self.arrived = asyncio.Event()

    async def until(self, count: int) -> None:
        while len(self.commands) < count:
            self.arrived.clear()
            await self.arrived.wait()

    async def written(self) -> list[str]:
        """The kinds of what has arrived by now."""
        self.line.close(1000, "over")
        await self.line.write(self.send)
        return self.kinds

    @property
    def kinds(self) -> list[str]:
        return [type(command).__name__ for command in self.commands]

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if self.blocked is not None:
            await self.blocked.wait()
        if message["type"] == "websocket.close":
            self.close_code = message["code"]
        else:
            self.commands.extend(self.far.decode(message.get("text") or message["bytes"]))
            self.arrived.set()

    def _abort(self) -> None:
        self.aborted += 1

    def _drop(self, frames: int) -> None:
        self.dropped += frames


async def a_moment() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_audio_and_marks_keep_their_order() -> None:
    rig = Rig()
    for number in range(2):
        rig.line.send_audio(rig.frame)
        rig.line.mark(number)

    assert ["Speak", "Mark", "Speak", "Mark"] == await rig.written()
    assert [Mark("0"), Mark("1")] == [command for command in rig.commands if isinstance(command, Mark)]
    assert 1000 == rig.close_code


async def test_a_clear_goes_first_and_what_waits_is_dropped() -> None:
    rig = Rig()
    rig.line.send_audio(rig.frame)
    writing = asyncio.create_task(rig.line.write(rig.send))
    await a_moment()
    rig.line.send_audio(rig.frame)
    rig.line.clear()
    rig.line.send_audio(rig.frame)
    await a_moment()

    assert ["Speak", "Clear", "Speak"] == rig.kinds

    rig.line.close(1000, "")
    await writing


async def test_nothing_is_cleared_where_nothing_was_sent() -> None:
    rig = Rig()
    rig.line.send_audio(rig.frame)
    rig.line.clear()
    rig.line.clear()

    assert [] == await rig.written()


async def test_a_pause_drops_what_a_gateway_cannot_hold() -> None:
    rig = Rig()
    writing = asyncio.create_task(rig.line.write(rig.send))
    rig.line.send_audio(rig.frame)
    await a_moment()

    assert "dropped" == rig.line.pause()

    rig.line.resume()
    rig.line.close(1000, "")
    await writing

    assert ["Speak", "Clear"] == rig.kinds


async def test_a_gateway_that_can_hold_it_does() -> None:
    rig = Rig("asterisk")

    assert "kept" == rig.line.pause()

    rig.line.pause()
    rig.line.resume()
    rig.line.resume()

    assert [Pause(), Continue()] == (await rig.written() and rig.commands)


async def test_a_clear_of_a_gateway_that_holds_lets_it_go_on() -> None:
    rig = Rig("asterisk")
    writing = asyncio.create_task(rig.line.write(rig.send))
    rig.line.send_audio(rig.frame)
    await a_moment()
    rig.line.pause()
    rig.line.clear()
    rig.line.close(1000, "")
    await writing

    assert ["Pause", "Clear", "Continue"] == [kind for kind in rig.kinds if kind != "Speak"]


async def test_a_full_gateway_is_sent_no_audio_and_no_mark_but_what_is_urgent() -> None:
    rig = Rig("asterisk")
    writing = asyncio.create_task(rig.line.write(rig.send))
    rig.line.room(has_room=False)
    rig.line.send_audio(rig.frame)
    rig.line.mark(1)
    rig.line.pause()
    await a_moment()

    assert [Pause()] == rig.commands

    rig.line.resume()
    rig.line.room(has_room=True)
    await a_moment()

    assert ["Pause", "Continue", "Speak", "Mark"] == rig.kinds

    rig.line.close(1000, "")
    await writing


async def test_after_a_clear_that_may_be_overtaken_audio_waits() -> None:
    rig = Rig("jambonz")
    writing = asyncio.create_task(rig.line.write(rig.send))
    rig.line.send_audio(rig.frame)
    await a_moment()
    cleared_s = asyncio.get_running_loop().time()
    rig.line.clear()
    rig.line.send_audio(rig.frame)
    await a_moment()

    assert ["Speak", "Clear"] == rig.kinds

    await rig.until(3)
    waited_s = asyncio.get_running_loop().time() - cleared_s

    assert waited_s >= 0.95 * rig.line.abilities.after_clear_ms / 1000
    assert isinstance(rig.commands[2], Speak)

    rig.line.close(1000, "")
    await writing


async def test_a_gateway_that_wants_bigger_packets_gets_them_and_the_rest_at_the_end() -> None:
    rig = Rig("audiohook")
    for _ in range(13):
        rig.line.send_audio(rig.frame)
    rig.line.mark(1)
    await rig.written()

    assert [10, 3] == [len(command.pcm) // len(rig.frame) for command in rig.commands if isinstance(command, Speak)]
    assert not rig.line.returns_marks


@pytest.mark.parametrize("gateway", CODECS)
async def test_no_gateway_is_sent_more_than_200_ms_ahead(gateway: str) -> None:
    rig = Rig(gateway)

    assert rig.codec.abilities.packet_ms <= rig.line.lead_ms or rig.line.lead_ms == 100
    assert rig.line.lead_ms <= MOST_AHEAD_MS == 200


async def test_hanging_up_is_written_before_the_close() -> None:
    rig = Rig("asterisk")
    rig.line.hang_up()
    await rig.line.aclose()

    assert [HangUp()] == (await rig.written() and rig.commands)


async def test_a_gateway_that_reads_nothing_loses_the_oldest_and_then_its_connection() -> None:
    rig = Rig(stalled_after_s=0.0)
    rig.blocked = asyncio.Event()
    rig.line.send_audio(rig.frame)
    writing = asyncio.create_task(rig.line.write(rig.send))
    await a_moment()
    for _ in range(101):
        rig.line.send_audio(rig.frame)
        if rig.aborted:
            break
        await a_moment()

    assert rig.aborted
    assert rig.line.closing

    rig.blocked.set()
    await writing


async def test_more_than_two_seconds_never_wait() -> None:
    rig = Rig()
    for _ in range(103):
        rig.line.send_audio(rig.frame)

    assert 3 == rig.dropped
    assert 100 == len(await rig.written())


async def test_what_is_said_after_the_close_is_for_nobody() -> None:
    rig = Rig()
    rig.line.close(1000, "")
    rig.line.send_audio(rig.frame)
    rig.line.mark(1)
    rig.line.clear()
    rig.line.hang_up()

    assert [] == await rig.written()


async def test_answers_that_nobody_reads_are_a_stall() -> None:
    rig = Rig()
    for _ in range(1_001):
        rig.line.respond("{}")

    assert 1 == rig.aborted
