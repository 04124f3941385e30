"""A session that is recorded decides again, from its recording, what it decided."""

from __future__ import annotations

import asyncio

from providers.fakes import FakeAgent, FakeStt, after
from session.notices import ReplyDone
from session.testing import run
from session.trace import read, replay
from tests.session.aio.stage import ASK, Witness, a_session, refused


async def a_recorded_call(lines: list[str]) -> None:
    agent = FakeAgent(lambda request: [f"You said {request.transcript}."] if request.transcript else [])
    session = a_session(stt=FakeStt(["hello"], gate=after(0.05)), agent=agent, trace=lines.append)
    witness = Witness(session)
    async with session:
        await session.start()
        for pcm in ASK:
            await session.process_audio(pcm)
            await asyncio.sleep(0)
        await witness.until(ReplyDone)
        await refused(session.process_transcript(" "))
        await session.process_transcript("and again")
        await witness.until(ReplyDone, 2)


def test_a_recorded_session_is_replayed_to_the_same_commands() -> None:
    lines: list[str] = []
    run(a_recorded_call(lines))
    steps = replay(lines)

    assert len(steps) > 50
    assert [] == [step for step in steps if not step.same]
    assert ["invalid_input"] == [step.raised for step in steps if step.raised]


def test_two_recordings_of_the_same_call_are_the_same() -> None:
    one: list[str] = []
    other: list[str] = []
    run(a_recorded_call(one))
    run(a_recorded_call(other))

    assert read(one).entries == read(other).entries
