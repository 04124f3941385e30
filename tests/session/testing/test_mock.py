from __future__ import annotations

import asyncio
import inspect
import logging

import pytest

from providers.api import Message
from session import ErrorCode, SayOptions, SessionError, SessionState, VoiceSession
from session.notices import Ended, EndReason, Notice, ReplyDone, StateChanged, TranscriptChanged
from session.states import TRANSITIONS
from session.testing import Called, MockSession, run


def public(kind: type) -> dict[str, object]:
    """The methods of a class, and how each is called."""
    return {
        name: inspect.signature(method) if inspect.isfunction(method) else type(method)
        for name, method in vars(kind).items()
        if not name.startswith("_") or name in ("__aenter__", "__aexit__")
    }


def test_it_has_the_methods_of_a_session_with_their_signatures() -> None:
    real, mock = public(VoiceSession), public(MockSession)

    assert real == {name: mock.get(name) for name in real}


def test_what_is_a_coroutine_there_is_one_here() -> None:
    names = [name for name in public(VoiceSession) if not name.startswith("_")]
    there = {name for name in names if inspect.iscoroutinefunction(getattr(VoiceSession, name))}

    assert there == {name for name in names if inspect.iscoroutinefunction(getattr(MockSession, name))}


async def refused(work: object) -> SessionError:
    with pytest.raises(SessionError) as error:
        await work  # type: ignore[misc] # a coroutine
    return error.value


async def test_an_active_session_listens() -> None:
    session = MockSession("id", active=True)

    assert "id" == session.session_id
    assert SessionState.LISTENING is session.state


async def test_it_is_started_and_stopped_as_a_session() -> None:
    states: list[SessionState] = []
    session = MockSession(on_state_changed=states.append)
    await session.start()
    await session.stop(EndReason.AGENT)
    await session.start()

    assert [SessionState.LISTENING, SessionState.ENDED, SessionState.LISTENING] == states


async def test_starting_twice_is_refused() -> None:
    error = await refused(MockSession(active=True).start())

    assert (ErrorCode.SESSION_ALREADY_ACTIVE, "start") == (error.code, error.op)


@pytest.mark.parametrize(
    "method", ["stop", "process_audio", "process_transcript", "dtmf", "interrupt", "say", "wait_ended"]
)
async def test_a_session_that_is_not_active_refuses(method: str) -> None:
    session = MockSession()
    arguments: dict[str, list[object]] = {
        "process_audio": [b""],
        "process_transcript": ["x"],
        "dtmf": ["1"],
        "say": ["x"],
    }
    error = await refused(getattr(session, method)(*arguments.get(method, [])))

    assert (ErrorCode.SESSION_NOT_ACTIVE, method) == (error.code, error.op)


@pytest.mark.parametrize("method", ["hold", "go_on"])
def test_a_session_that_is_not_active_neither_holds_nor_goes_on(method: str) -> None:
    with pytest.raises(SessionError) as error:
        getattr(MockSession(), method)()

    assert ErrorCode.SESSION_NOT_ACTIVE == error.value.code


@pytest.mark.parametrize("method", ["say", "process_transcript"])
async def test_an_empty_text_is_refused(method: str) -> None:
    error = await refused(getattr(MockSession(active=True), method)(" "))

    assert ErrorCode.INVALID_INPUT == error.code


async def test_calls_are_kept_in_order() -> None:
    session = MockSession(active=True)
    await session.say("One moment.", SayOptions(speed=1.5))
    await session.process_transcript("hello")
    await session.process_audio(b"\0\0")
    await session.dtmf("5")
    await session.interrupt()
    session.hold()
    session.go_on()
    session.played(20)
    await session.stop()

    assert [
        Called("say", {"text": "One moment.", "options": SayOptions(speed=1.5)}),
        Called("process_transcript", {"text": "hello"}),
        Called("process_audio", {"pcm": b"\0\0"}),
        Called("dtmf", {"digits": "5"}),
        Called("interrupt"),
        Called("hold"),
        Called("go_on"),
        Called("played", {"played_ms": 20}),
        Called("stop", {"reason": EndReason.CLIENT}),
    ] == session.calls
    assert ["One moment."] == session.said
    assert [Called("interrupt")] == session.called("interrupt")


async def test_what_is_said_is_heard_at_once() -> None:
    session = MockSession(active=True)
    handle = await session.say("Hello.")
    await handle.wait_for_playout()

    assert ("Hello.", False) == (handle.heard_text, handle.interrupted)
    assert (Message("assistant", "Hello."),) == session.history


async def test_what_is_said_is_heard_when_the_test_wants_it() -> None:
    session = MockSession(active=True, plays=False)
    notices: list[Notice] = []
    session.subscribe(notices.append)
    handle = await session.say("Hello there.")
    assert not handle.done
    session.finish(handle, heard_text="Hello", interrupted=True)
    session.finish(handle)

    assert ("Hello", True) == (handle.heard_text, handle.interrupted)
    assert [("Hello there.", "Hello")] == [(n.text, n.heard_text) for n in notices if isinstance(n, ReplyDone)]


async def test_what_waits_may_be_cancelled() -> None:
    session = MockSession(active=True, plays=False)
    one, other = await session.say("One."), await session.say("Other.")
    await other.cancel()

    assert (False, True) == (one.done, other.done)
    assert ("", True) == (other.heard_text, other.interrupted)


async def test_an_interruption_and_an_end_cut_what_waits() -> None:
    session = MockSession(active=True, plays=False)
    one = await session.say("One.")
    await session.interrupt()
    other = await session.say("Other.")
    await session.stop()

    assert (True, True) == (one.interrupted, other.interrupted)
    assert () == session.history


@pytest.mark.parametrize("state", SessionState)
@pytest.mark.parametrize("following", SessionState)
async def test_states_follow_the_table(state: SessionState, following: SessionState) -> None:
    session = MockSession()
    session._state = state
    if following in TRANSITIONS[state] or following is state:
        session.become(following)
        assert following is session.state
        return
    with pytest.raises(SessionError) as error:
        session.become(following)

    assert ErrorCode.INVALID_STATE == error.value.code
    assert state is session.state


async def test_subscribers_are_told_what_the_test_wants(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Notice) -> None:
        raise LookupError

    session, told = MockSession(active=True), list[Notice]()
    session.subscribe(broken)
    unsubscribe = session.subscribe(told.append)
    said = TranscriptChanged("1", "hello", final=True)
    session.tell(said)
    session.become(SessionState.PROCESSING)
    unsubscribe()
    unsubscribe()
    session.tell(said)

    assert [said, StateChanged(SessionState.PROCESSING, SessionState.LISTENING)] == told
    assert {"a subscriber raised"} == {record.message for record in caplog.records if record.levelno == logging.ERROR}


async def test_it_may_end_by_itself() -> None:
    session, told = MockSession(active=True), list[Notice]()
    session.subscribe(told.append)
    waiting = asyncio.create_task(session.wait_ended())
    await session.end(EndReason.TIMEOUT)

    assert EndReason.TIMEOUT == await waiting
    assert Ended(EndReason.TIMEOUT) == told[-1]


async def test_an_error_is_raised_each_time() -> None:
    session = MockSession(active=True, errors={"say": SessionError("say", ErrorCode.CAPACITY, "full")})
    errors = [await refused(session.say("one")), await refused(session.say("two"))]

    assert [ErrorCode.CAPACITY] * 2 == [error.code for error in errors]
    assert ["one", "two"] == session.said
    assert [] == session.handles


async def test_errors_come_one_after_another() -> None:
    session = MockSession(active=True, errors={"hold": [None, LookupError("now")]})
    session.hold()
    with pytest.raises(LookupError):
        session.hold()
    session.hold()

    assert 3 == len(session.called("hold"))


def test_delays_are_waited_for() -> None:
    async def work() -> float:
        session = MockSession(active=True, delays_s={"say": 2.5})
        await session.say("Hello.")
        return asyncio.get_running_loop().time()

    assert 2.5 == pytest.approx(run(work()), abs=1e-3)


@pytest.mark.parametrize(("errors", "delays_s"), [({"sing": LookupError()}, {}), ({}, {"hold": 1.0})])
def test_a_method_that_there_is_not_is_named(errors: dict[str, Exception], delays_s: dict[str, float]) -> None:
    name = next(iter(errors | delays_s))
    with pytest.raises(ValueError, match=f"'{name}' given, start, "):
        MockSession(errors=errors, delays_s=delays_s)


async def test_output_gives_what_was_put_out() -> None:
    session = MockSession(active=True, output_rate_hz=8_000)
    session.put_out(b"\1\0")
    session.put_out(b"\2\0")
    await session.stop()

    assert [b"\1\0", b"\2\0"] == [pcm async for pcm in session.output()]
    assert 8_000 == session.output_rate_hz


async def test_it_is_a_context_manager_that_may_start() -> None:
    states: list[SessionState] = []
    async with MockSession(auto_start=True, on_state_changed=states.append), MockSession() as idle:
        pass

    assert [SessionState.LISTENING, SessionState.ENDED] == states
    assert [] == idle.calls


async def test_a_callback_that_raises_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: SessionState) -> None:
        raise LookupError

    session = MockSession()
    session.on_state_changed(broken)
    await session.start()

    assert 1 == session.callback_failures
    assert caplog.records
