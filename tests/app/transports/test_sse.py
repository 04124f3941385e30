from __future__ import annotations

import asyncio

from app.calls import Call
from app.transports.sse import Events
from session.notices import Ended, EndReason, ReplyPaused, TurnDone, TurnOutcome


def make_call() -> Call:
    return Call("s", "token", {}, None, None)


async def test_a_reader_gets_what_happens_until_the_end() -> None:
    call = make_call()
    events = Events(call)
    call.tell(ReplyPaused("1"))
    call.tell(TurnDone("1", TurnOutcome.EMPTY))
    call.tell(Ended(EndReason.CLIENT))
    told = [text async for text in events.stream()]

    assert [
        ": connected\n\n",
        'data: {"type":"paused"}\n\n',
        'data: {"type":"ended","reason":"client"}\n\n',
    ] == told
    assert [] == call.listeners


async def test_a_reader_that_leaves_is_told_nothing_more() -> None:
    call = make_call()
    stream = Events(call).stream()
    await anext(stream)
    reading = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait([reading])

    assert [] == call.listeners


async def test_a_reader_that_is_far_behind_is_let_go() -> None:
    call = make_call()
    events = Events(call)
    for _ in range(5000):
        call.tell(ReplyPaused("1"))
    told = [text async for text in events.stream()]

    assert 1001 == len(told)
    assert [] == call.listeners
