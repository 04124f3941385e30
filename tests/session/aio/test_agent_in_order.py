"""Agents that fail, in the middle of a call, and those that take over."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from providers.api import AgentAction, AgentOutput, AgentRequest, AgentText
from providers.errors import Malformed, Overloaded, ProviderError, Rejected, TimedOut, Unreachable
from providers.fakes import FakeAgent
from session import AgentInOrder, ErrorCode, SessionConfig
from session.aio.attempts import NobodyIsWell
from session.breaker import OPEN_MS, BreakerState
from session.notices import ErrorOccurred, ReplyDone
from tests.session.aio.several import GONE, SOON_MS, Clock, answering, calls, named, never, states
from tests.session.aio.stage import Witness, a_session, soon

TURN = AgentRequest("turn", "s-1", "7", "what time is it")
QUICK = SessionConfig(apology="Sorry.", retry_delay="100ms")


def first(*answer: ProviderError | AgentOutput | str) -> FakeAgent:
    """Gives the same answer to every turn, and no greeting."""
    agent: FakeAgent = named(FakeAgent(lambda request: answer if request.type == "turn" else ()), "first")
    return agent


def second() -> FakeAgent:
    agent: FakeAgent = named(answering("It is five."), "second")
    return agent


async def answer(agent: AgentInOrder, request: AgentRequest = TURN) -> list[AgentOutput]:
    return [output async for output in agent.ask(request)]


# --- in a session ------------------------------------------------------------------------------------------------


async def test_an_agent_that_fails_is_replaced_within_the_same_turn_and_without_a_wait() -> None:
    broken, other = first(GONE), second()
    session = a_session(agent=AgentInOrder([broken, other]), config=SessionConfig(retry_delay=10))
    witness = Witness(session)
    async with session:
        await session.start()
        await session.process_transcript("what time is it")
        done = await witness.until(ReplyDone)

        assert "It is five." == done.heard_text
        assert ["turn"] == [request.type for request in other.asked]
        assert [request for request in broken.asked if request.type == "turn"] == other.asked
        assert [] == witness.of(ErrorOccurred)
        assert [("first", "unreachable"), ("second", None)] == calls(witness, "agent")


async def test_where_all_fail_they_are_tried_again_and_then_excused_and_the_next_turn_works() -> None:
    both = [first(GONE), named(first(TimedOut("late")), "second")]
    session = a_session(agent=AgentInOrder(both), config=replace(QUICK, max_retries=1))
    witness = Witness(session)
    async with session:
        await session.start()
        await session.process_transcript("what time is it")
        error = await witness.until(ErrorOccurred)
        apology = await witness.until(ReplyDone)
        both[1]._answer = lambda _: ["Fine."]
        await session.process_transcript("and now")
        done = await witness.until(ReplyDone, 2)

        assert ErrorCode.AGENT_ERROR is error.code
        assert ("Sorry.", "Fine.") == (apology.heard_text, done.heard_text)
        assert 2 * [("first", "unreachable"), ("second", "timed_out")] == calls(witness, "agent")[:4]


async def test_a_sole_agent_that_failed_too_often_is_not_asked_and_the_apology_comes_at_once() -> None:
    broken = first(GONE)
    session = a_session(agent=AgentInOrder([broken]), config=replace(QUICK, retry_delay=10, max_retries=0))
    witness = Witness(session)
    async with session:
        await session.start()
        for turn in range(6):
            await session.process_transcript("what time is it")
            await witness.until(ReplyDone, turn + 1)

        assert 5 == len([request for request in broken.asked if request.type == "turn"])
        assert [True] * 5 + [False] == [error.retryable for error in witness.of(ErrorOccurred)]
        assert ["Sorry."] * 6 == [done.heard_text for done in witness.of(ReplyDone)]


async def test_what_was_said_before_an_agent_broke_stays_said_and_nobody_goes_on_with_it() -> None:
    other = second()
    session = a_session(agent=AgentInOrder([first("This much. And", GONE), other]), config=QUICK)
    witness = Witness(session)
    async with session:
        await session.start()
        await session.process_transcript("tell me")
        await witness.until(ErrorOccurred)
        done = await witness.until(ReplyDone)
        await witness.until(ReplyDone, 2)

        assert "This much. And" == done.heard_text
        assert [] == other.asked


async def test_an_agent_that_is_interrupted_is_left_with_its_request() -> None:
    asked = asyncio.Event()

    async def stall() -> None:
        asked.set()
        await never()

    stuck = named(FakeAgent([["never"]], gate=stall), "first")
    session = a_session(agent=AgentInOrder([stuck, second()]), greeting="Hello.")
    async with session:
        await session.start()
        await session.process_transcript("one")
        await soon(asked.wait())
        await session.interrupt()

    assert ["one"] == [request.transcript for request in stuck.abandoned]


# --- one request -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [GONE, Overloaded("429"), TimedOut("late")])
@pytest.mark.parametrize("before", [(), (AgentText(""),)])
async def test_what_may_succeed_later_is_asked_of_the_next(error: ProviderError, before: tuple[AgentText, ...]) -> None:
    agent = AgentInOrder([first(*before, error), second()])

    assert [AgentText("It is five.")] == await answer(agent)


async def test_a_mistake_of_the_agents_own_is_no_answer_either() -> None:
    broken = first()
    broken._answer = lambda _: 1 // 0  # type: ignore[assignment, return-value] # it never returns
    agent = AgentInOrder([broken, second()])

    assert [AgentText("It is five.")] == await answer(agent)


@pytest.mark.parametrize("error", [Rejected("404"), Malformed("no JSON")])
async def test_a_refusal_is_the_answer_and_so_is_what_cannot_be_understood(error: ProviderError) -> None:
    other = second()
    with pytest.raises(type(error)):
        await answer(AgentInOrder([first(error), other]))

    assert [] == other.asked


async def test_one_that_is_never_understood_is_left_alone_after_a_while_and_one_that_refuses_is_not() -> None:
    muddled, refusing = (AgentInOrder([first(error), second()]) for error in (Malformed("?"), Rejected("404")))
    for agent in (muddled, refusing):
        for _ in range(5):
            with pytest.raises((Malformed, Rejected)):
                await answer(agent)

    assert [AgentText("It is five.")] == await answer(muddled)
    assert [BreakerState.CLOSED] * 2 == states(refusing)


@pytest.mark.parametrize("given", ["It", AgentAction("hangup")])
async def test_once_something_was_given_the_failure_is_raised(given: AgentOutput | str) -> None:
    other = second()
    with pytest.raises(Unreachable):
        await answer(AgentInOrder([first(given, GONE), other]))

    assert [] == other.asked


async def test_an_agent_that_is_late_is_replaced_and_its_request_dropped() -> None:
    late = named(FakeAgent([["never"]], gate=never), "first")
    agent = AgentInOrder([late, second()], patience_ms=SOON_MS)

    assert [AgentText("It is five.")] == await soon(answer(agent))
    assert [TURN] == late.abandoned


async def test_an_agent_may_take_its_time_where_there_is_no_other() -> None:
    gate = asyncio.Event()
    agent = AgentInOrder([FakeAgent([["Well."]], gate=gate.wait)], patience_ms=0)
    asyncio.get_running_loop().call_later(0.02, gate.set)

    assert [AgentText("Well.")] == await soon(answer(agent))


async def test_an_agent_that_has_begun_may_take_its_time() -> None:
    gate = asyncio.Event()
    gate.set()
    slow = FakeAgent([["One,", "two."]], gate=gate.wait)
    outputs = AgentInOrder([slow, second()], patience_ms=SOON_MS).ask(TURN)

    assert AgentText("One,") == await soon(anext(outputs))

    gate.clear()
    asyncio.get_running_loop().call_later(3 * SOON_MS / 1000, gate.set)

    assert [AgentText("two.")] == [output async for output in outputs]


async def test_silence_is_an_answer() -> None:
    other = second()

    assert [] == await answer(AgentInOrder([first(), other]))
    assert [] == other.asked


async def test_the_first_is_passed_over_while_its_breaker_is_open_and_taken_back_when_it_heals() -> None:
    clock, broken = Clock(), first(GONE)
    agent = AgentInOrder([broken, second()], clock_ms=clock)
    for _ in range(6):
        await answer(agent)

    assert (5, BreakerState.OPEN) == (len(broken.asked), states(agent)[0])

    broken._answer = lambda _: ["I am back."]
    clock.now_ms = OPEN_MS

    assert 2 * [[AgentText("I am back.")]] == [await answer(agent), await answer(agent)]
    assert [BreakerState.CLOSED] * 2 == states(agent)


async def test_where_nobody_is_well_nobody_is_asked() -> None:
    agent = AgentInOrder([first(GONE)])
    for _ in range(5):
        with pytest.raises(Unreachable):
            await answer(agent)
    with pytest.raises(NobodyIsWell):
        await answer(agent)


async def test_one_that_is_left_when_it_was_late_has_failed() -> None:
    clock = Clock()
    agent = AgentInOrder([FakeAgent(lambda _: ["never"], gate=never)], patience_ms=500, clock_ms=clock)
    for waited_ms in (499, 500, 500, 500, 500, 500):
        task = asyncio.create_task(answer(agent))
        await asyncio.sleep(0)
        clock.now_ms += waited_ms
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

        assert (BreakerState.OPEN if clock.now_ms == 2_999 else BreakerState.CLOSED) is states(agent)[0]


# --- what they are told ------------------------------------------------------------------------------------------


def told(agent: FakeAgent) -> list[str]:
    return [request.type for request in agent.told]


async def test_those_who_were_asked_are_told_and_only_those() -> None:
    broken, other, third = first(GONE), second(), second()
    agent = AgentInOrder([broken, other, third])
    await answer(agent)
    await agent.notify(replace(TURN, type="turn.interrupted"))
    await agent.notify(replace(TURN, type="session.ended"))

    assert ["turn.interrupted", "session.ended"] == told(broken) == told(other)
    assert [] == told(third)


async def test_the_first_is_told_of_a_session_in_which_nobody_was_asked() -> None:
    one, other = first(GONE), second()
    agent = AgentInOrder([one, other])
    await answer(agent)
    await agent.notify(replace(TURN, type="session.ended"))
    await agent.notify(replace(TURN, type="session.ended"))
    await agent.notify(replace(TURN, type="session.ended", session_id="another"))

    assert (3, 1) == (len(one.told), len(other.told))


async def test_one_that_cannot_be_told_keeps_nobody_from_hearing_it() -> None:
    async def deaf() -> None:
        raise GONE

    broken, other = named(FakeAgent([[GONE]]), "first"), second()
    agent = AgentInOrder([broken, other])
    await answer(agent)
    broken._gate = deaf
    with pytest.raises(Unreachable):
        await agent.notify(replace(TURN, type="session.ended"))

    assert ["session.ended"] == told(other)


async def test_all_are_warmed_up_and_closed() -> None:
    agents = [FakeAgent(), FakeAgent()]
    several = AgentInOrder(agents)
    await several.warm_up()
    await several.aclose()

    assert all(each.closed for each in agents)
