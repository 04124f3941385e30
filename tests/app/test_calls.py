from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

import pytest

from app.auth import digest
from app.calls import Call, Calls, Listener
from app.parts import build
from app.settings import load
from providers.api import AgentOutput, AgentRequest, AgentText
from session import FrameCounts, SayOptions, SessionError, SessionState
from session.notices import Ended, EndReason, Notice, ReplyDone, StateChanged, TurnDone, TurnOutcome
from tests.server import QUICK

SETTINGS = load(environment=QUICK)
PARTS = build(SETTINGS)


class Wire:
    rate_hz = 16000

    def __init__(self) -> None:
        self.frames = 0
        self.closed = False

    def send_audio(self, frame: bytes) -> None:
        self.frames += 1

    def clear(self) -> None:
        pass

    async def aclose(self) -> None:
        self.closed = True


class OwnAgent:
    name = "own"

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    async def warm_up(self) -> None:
        pass

    async def ask(self, request: AgentRequest) -> AsyncGenerator[AgentOutput, None]:
        if request.type == "turn":
            yield AgentText("my own answer")

    async def notify(self, request: AgentRequest) -> None:
        pass

    async def aclose(self) -> None:
        self.closed.set()


class Office:
    """Calls, and everything that is heard about them."""

    def __init__(self, connect_within_s: float = 60) -> None:
        self.heard: list[Notice] = []
        self.watched: list[Notice] = []
        self.operations: list[str] = []
        self.wire = Wire()
        self.answered = asyncio.Event()
        self.calls = Calls(
            PARTS,
            SETTINGS.session,
            frames=FrameCounts(),
            connect_within_s=connect_within_s,
            watchers=(self.watch,),
            operation=self.operation,
        )

    def watch(self, _call: Call) -> Listener:
        return self.watched.append

    def listen(self, notice: Notice) -> None:
        self.heard.append(notice)
        if isinstance(notice, ReplyDone):
            self.answered.set()

    @contextmanager
    def operation(self, name: str) -> Iterator[None]:
        yield
        self.operations.append(name)

    async def connect(self, call: Call) -> None:
        await self.calls.connect(call, "test", self.wire, input_rate_hz=16000, listener=self.listen)


async def test_a_call_is_made_found_connected_and_ended() -> None:
    office = Office()
    call = office.calls.prepare(metadata={"a": 1})
    before = call.state
    await office.connect(call)
    during = call.state
    found = office.calls.find(call.session_id), office.calls.all(), office.calls.session_of(digest(call.token))
    await office.calls.end(call, EndReason.DELETED)

    assert (SessionState.INITIAL, SessionState.LISTENING) == (before, during)
    assert (call, (call,), call.session_id) == found
    assert Ended(EndReason.DELETED) == office.heard[-1]
    assert office.heard == office.watched
    assert office.wire.closed
    assert (0, None) == (len(office.calls), office.calls.session_of(digest(call.token)))
    assert ["start", "stop"] == office.operations
    assert [] == call.listeners
    with pytest.raises(SessionError, match="session_not_found"):
        office.calls.find(call.session_id)


async def test_ending_twice_ends_once() -> None:
    office = Office()
    call = office.calls.prepare(metadata={})
    await office.connect(call)
    await office.calls.end(call, EndReason.CLIENT)
    await office.calls.end(call, EndReason.DELETED)

    assert [Ended(EndReason.CLIENT)] == [notice for notice in office.heard if isinstance(notice, Ended)]


async def test_a_call_has_one_connection() -> None:
    office = Office()
    call = office.calls.prepare(metadata={})
    await office.connect(call)
    with pytest.raises(SessionError, match="session_already_active"):
        await office.connect(call)
    await office.calls.end_all(EndReason.CLIENT)

    assert 1 == len([notice for notice in office.heard if isinstance(notice, Ended)])


async def test_nobody_connects_and_the_call_expires_and_its_listeners_hear_of_it() -> None:
    office = Office(connect_within_s=0)
    call = office.calls.prepare(metadata={})
    call.listeners.append(office.listen)
    await office.calls.wait_empty(5)

    assert [Ended(EndReason.TIMEOUT)] == office.heard


async def test_a_call_that_is_connected_does_not_expire() -> None:
    office = Office(connect_within_s=0)
    call = office.calls.prepare(metadata={})
    await office.connect(call)
    await asyncio.sleep(0)
    still = office.calls.all()
    await office.calls.end(call, EndReason.CLIENT)

    assert (call,) == still


async def test_a_call_whose_transport_cannot_be_taken_over_ends_with_its_connection() -> None:
    office = Office()
    call = office.calls.prepare(metadata={})
    await office.connect(call)
    await office.calls.hold(call)
    await office.calls.hold(call)

    assert Ended(EndReason.CLIENT) == office.heard[-1]
    assert 0 == len(office.calls)


def test_no_token_shows_in_what_is_printed_of_a_call() -> None:
    call = Call("s", "secret", {}, None, None)

    assert "secret" not in repr(call)
    assert call.resume_token not in repr(call)


async def test_nothing_is_said_before_somebody_connects() -> None:
    office = Office()
    call = office.calls.prepare(metadata={})
    with pytest.raises(SessionError, match="session_not_active"):
        await office.calls.say(call, "hello", SayOptions())
    await office.calls.end(call, EndReason.CLIENT)

    assert [] == office.heard


async def test_an_agent_of_its_own_answers_and_is_closed_with_the_call() -> None:
    office = Office()
    agent = OwnAgent()
    call = office.calls.prepare(metadata={}, agent=agent)
    await office.connect(call)
    await call.active_session().process_transcript("hello")
    await office.answered.wait()
    await office.calls.end_all(EndReason.CLIENT)

    (done,) = [notice for notice in office.heard if isinstance(notice, ReplyDone)]
    assert "my own answer" == done.text
    assert agent.closed.is_set()


async def test_a_call_counts_its_turns() -> None:
    call = Call("s", "t", {}, None, None)
    call.tell(StateChanged(SessionState.LISTENING, SessionState.INITIAL))
    call.tell(TurnDone("1", TurnOutcome.ANSWERED))
    call.tell(TurnDone("2", TurnOutcome.EMPTY))

    assert 2 == call.turns


async def test_waiting_for_the_last_call_has_a_limit() -> None:
    office = Office()
    call = office.calls.prepare(metadata={})
    await office.calls.wait_empty(0.01)
    await office.calls.end(call, EndReason.CLIENT)
    await office.calls.wait_empty(60)

    assert 0 == len(office.calls)
