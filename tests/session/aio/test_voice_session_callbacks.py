"""Who is told of what happens in a session, and may answer."""

from __future__ import annotations

import asyncio
import logging

import pytest

from providers.fakes import FakeAgent
from session import SessionState
from session.notices import (
    EndReason,
    ReplyDone,
    StateChanged,
    TurnDone,
)
from tests.session.aio.stage import (
    STORY,
    Witness,
    a_session,
    soon,
)

LISTENING, ENDED = SessionState.LISTENING, SessionState.ENDED
PROCESSING, SPEAKING = SessionState.PROCESSING, SessionState.SPEAKING


async def test_state_callbacks_see_every_change_in_order_from_the_first() -> None:
    sync: list[SessionState] = []
    awaited: list[SessionState] = []

    async def callback(state: SessionState) -> None:
        await asyncio.sleep(0)
        awaited.append(state)

    session = a_session(agent=FakeAgent([[], ["Yes."]]), on_state_changed=sync.append)
    session.on_state_changed(callback)
    witness = Witness(session)
    async with session:
        await session.start()
        await session.process_transcript("hello")
        await witness.until(TurnDone)

    expected = [LISTENING, PROCESSING, SPEAKING, LISTENING, ENDED]

    assert (expected, expected) == (sync, awaited)


async def test_a_callback_that_raises_is_counted_and_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def broken(state: SessionState) -> None:
        raise ValueError("no")

    async def broken_too(state: SessionState) -> None:
        raise ValueError("no")

    session = a_session(on_state_changed=broken)
    session.on_state_changed(broken_too)
    with caplog.at_level(logging.ERROR):
        async with session:
            await session.start()
            handle = await session.say("Hello.")
            await soon(handle.wait_for_playout())

    assert "Hello." == handle.heard_text
    assert 2 * len([LISTENING, SPEAKING, LISTENING, ENDED]) == session.callback_failures == len(caplog.records)


async def test_a_callback_may_call_the_session() -> None:
    session = a_session()
    witness = Witness(session)

    async def greet_and_leave(state: SessionState) -> None:
        if state is LISTENING and not witness.of(ReplyDone):
            await session.say("Hello.")
        elif state is LISTENING:
            await session.stop()

    session.on_state_changed(greet_and_leave)
    async with session:
        await session.start()

        assert EndReason.CLIENT is await soon(session.wait_ended())
        assert ["Hello."] == [done.heard_text for done in witness.of(ReplyDone)]


async def test_a_subscriber_that_raises_breaks_nothing_and_the_others_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(notice: object) -> None:
        raise ValueError("no")

    session = a_session()
    session.subscribe(broken)
    witness = Witness(session)
    with caplog.at_level(logging.ERROR):
        async with session:
            await session.start()
            await soon((await session.say("Hello.")).wait_for_playout())

    assert ["Hello."] == [done.heard_text for done in witness.of(ReplyDone)]
    assert len(witness.notices) == len(caplog.records)


async def test_a_subscription_can_be_ended_even_twice() -> None:
    session = a_session()
    seen: list[object] = []
    end = session.subscribe(seen.append)
    async with session:
        await session.start()
        end()
        end()
        told = len(seen)

    assert told == len(seen) > 0


async def test_what_a_subscriber_asks_for_waits_until_all_were_told() -> None:
    session = a_session()
    order: list[str] = []

    def asks(notice: object) -> None:
        if isinstance(notice, StateChanged) and notice.state is SPEAKING:
            with pytest.raises(StopIteration):
                session.interrupt().__await__().send(None)
        order.append(f"first {type(notice).__name__}")

    session.subscribe(asks)
    session.subscribe(lambda notice: order.append(f"second {type(notice).__name__}"))
    async with session:
        await session.start()
        handle = await session.say(STORY)
        await soon(handle.wait_for_playout())

        assert handle.interrupted
        assert [line.replace("first", "second") for line in order[::2]] == order[1::2]
