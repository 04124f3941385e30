"""Whoever calls a session, in whatever order, and whenever they are cancelled: it stays whole. On virtual time.

Invariant: a call returns, raises ``SessionError``, or was cancelled; states follow the table; nothing is left when the
session has ended; and it can be started again and be heard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.fakes import FakeAgent, FakeStt, after
from session import SayOptions, SessionConfig, SessionError, SessionState, VoiceSession
from session.aio.runner import agents_told
from session.states import TRANSITIONS
from session.testing.virtual_time import run
from tests.session.aio.stage import STORY, a_session, a_voice, silence, speech

Operation = Callable[[VoiceSession], Awaitable[object]]


async def speak(session: VoiceSession) -> None:
    for _ in range(20):
        await session.process_audio(speech(40))
        await asyncio.sleep(0.04)


async def flood(session: VoiceSession) -> None:
    """More than the session takes at once: whoever brings it waits."""
    await session.process_audio(speech(6_000))


async def be_silent(session: VoiceSession) -> None:
    for _ in range(40):
        await session.process_audio(silence(40))
        await asyncio.sleep(0.04)


async def say_and_wait(session: VoiceSession) -> None:
    handle = await session.say("One moment please.", SayOptions(allow_interruptions=False))
    await handle.wait_for_playout()


async def say_and_cancel(session: VoiceSession) -> None:
    handle = await session.say(STORY)
    await asyncio.sleep(0.3)
    await handle.cancel()


async def drop_and_come_back(session: VoiceSession) -> None:
    session.hold()
    await asyncio.sleep(0.5)
    session.go_on()


OPERATIONS: dict[str, Operation] = {
    "start": lambda session: session.start(),
    "stop": lambda session: session.stop(),
    "speak": speak,
    "flood": flood,
    "be_silent": be_silent,
    "say": say_and_wait,
    "cancel": say_and_cancel,
    "type": lambda session: session.process_transcript("hello there"),
    "press": lambda session: session.dtmf("5"),
    "interrupt": lambda session: session.interrupt(),
    "drop": drop_and_come_back,
    "await the end": lambda session: session.wait_ended(),
}

steps = st.tuples(
    st.sampled_from(list(OPERATIONS)),
    st.sampled_from([0, 0, 0.01, 0.2, 0.7, 2.0]),  # after so many seconds
    st.one_of(st.none(), st.integers(0, 12)),  # cancelled after so many turns of the loop
    st.sampled_from([0, 0, 0.05, 0.4]),  # and so many seconds
)


async def perform(session: VoiceSession, name: str, cancel_after: int | None, cancel_after_s: float) -> None:
    task = asyncio.ensure_future(OPERATIONS[name](session))
    if cancel_after is not None:
        await asyncio.sleep(cancel_after_s)
        for _ in range(cancel_after):
            await asyncio.sleep(0)
        task.cancel()
    with suppress(SessionError, asyncio.CancelledError):
        await task


def the_session() -> VoiceSession:
    return a_session(
        stt=FakeStt(gate=after(0.05)),
        tts=a_voice(10),
        agent=FakeAgent(lambda request: ["Well, ", "let me see."] if request.type == "turn" else [], gate=after(0.1)),
        config=SessionConfig(user_away_timeout="5s"),
    )


@settings(max_examples=100, deadline=None)
@given(st.lists(steps, min_size=2, max_size=10))
def test_a_session_stays_whole(program: list[tuple[str, float, int | None, float]]) -> None:
    async def call() -> tuple[list[SessionState], set[str], str]:
        session = the_session()
        states = [session.state]
        session.on_state_changed(states.append)
        await session.start()
        users = []
        for name, after_s, cancel_after, cancel_after_s in program:
            await asyncio.sleep(after_s)
            users.append(asyncio.create_task(perform(session, name, cancel_after, cancel_after_s)))
        await asyncio.sleep(3)
        if session.state is not SessionState.ENDED:
            await session.stop()
        await asyncio.wait(users, timeout=1)
        await agents_told()
        left = {repr(task) for task in asyncio.all_tasks() if task is not asyncio.current_task()}
        await session.start()
        handle = await session.say("Hello again.")
        await handle.wait_for_playout()
        await session.stop()
        await agents_told()
        return states, left, handle.heard_text

    states, left, heard = run(call())

    assert set() == left
    assert "Hello again." == heard
    assert [] == [(one, other) for one, other in pairwise(states) if other not in TRANSITIONS[one]]


@pytest.mark.parametrize("turns_of_the_loop", range(8))
@pytest.mark.parametrize("name", ["start", "stop", "flood", "say", "await the end"])
def test_a_caller_who_is_cancelled_leaves_a_session_that_can_be_stopped(name: str, turns_of_the_loop: int) -> None:
    async def call() -> set[str]:
        session = the_session()
        if name != "start":
            await session.start()
        await perform(session, name, turns_of_the_loop, 0)
        async with session:
            pass
        if session.state not in {SessionState.ENDED, SessionState.INITIAL}:
            await session.stop()
        await agents_told()
        return {repr(task) for task in asyncio.all_tasks() if task is not asyncio.current_task()}

    assert set() == run(call())
