"""One phone call and its session: what is said goes both ways, and nothing is left when it is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.wire.phone.api import FlowChanged
from session.aio.media_clock import MediaClock
from session.errors import ErrorCode
from session.notices import AgentActed, Ended, EndReason, ErrorOccurred, ReplyCleared, ReplyDone, ReplyStarted
from tests.app.transports.phone.calls import Phoned, answering_by_type, phoning
from tests.app.transports.phone.test_steering import Control, DigitsControl
from tests.caller import voice
from tests.providers.test_inband_dtmf import pressed
from tests.server import RunningServer, running

pytestmark = pytest.mark.timeout(60)

TASKS = ("PhoneConnection.", "PhoneLine.write")
GOODBYE = {"text": "Goodbye.", "actions": [{"action": "hangup"}]}


def longer(duration_ms: int) -> dict[str, object]:
    return {"options": {"duration_ms": duration_ms}}


@asynccontextmanager
async def controlled(server: RunningServer, control: Control | None = None) -> AsyncIterator[tuple[Control, Phoned]]:
    """A call of a gateway whose REST interface is configured."""
    control = server.app.state.exchange.controls["twilio"] = control or Control()
    async with phoning(server, delay_ms=300) as phoned:
        yield control, phoned


async def until_no_phone_is_left() -> None:
    """Of the server's tasks."""
    while left := [task for task in asyncio.all_tasks() if any(name in repr(task) for name in TASKS)]:
        await asyncio.wait(left)


# --- both ways ----------------------------------------------------------------------------------------------------


async def test_pains_17_audio_really_arrives_both_ways() -> None:
    async with running() as server, phoning(server) as phoned:
        phoned.phone.say(voice(600, 8_000))
        reply = await phoned.until(ReplyDone)

    assert "hello there" == reply.heard_text
    assert any(phoned.phone.heard)


async def test_the_agent_is_told_who_calls() -> None:
    async with running() as server, phoning(server, "telnyx", parameters={"order": "7", "token": "secret"}) as phoned:
        metadata = dict(phoned.call.metadata)

    assert {
        "gateway": "telnyx",
        "call_id": phoned.phone.call.call_id,
        "from": "+15550100",
        "to": "+15550199",
        "parameters": {"order": "7"},
    } == metadata
    assert "telnyx" == phoned.call.transport


# --- what was heard -----------------------------------------------------------------------------------------------


async def test_a_reply_is_over_when_the_gateway_has_played_it() -> None:
    async with running(tts=longer(600)) as server, phoning(server, delay_ms=400) as phoned:
        await phoned.call.active_session().process_transcript("hello there")
        await phoned.until(ReplyDone)
        marks = [mark.at_ms for mark in phoned.phone.of("mark")]

    assert 2 == len(marks)


async def test_what_was_heard_of_a_late_phone_is_known_to_within_a_word() -> None:
    counted = " ".join(f"number{number:02}" for number in range(40))  # 250 ms each
    answers: dict[str, object] = {"turn": {"text": counted}}
    async with answering_by_type(answers, tts=longer(10_000)) as (server, _), phoning(server, delay_ms=300) as phoned:
        await phoned.call.active_session().process_transcript("count")
        await phoned.phone.until(lambda phone: len(phone.of("mark")) >= 3)
        await phoned.call.active_session().interrupt()
        reply = await phoned.until(ReplyDone)
        await phoned.phone.until(lambda phone: bool(phone.of("clear")))

    assert counted.startswith(reply.heard_text)
    assert abs(phoned.phone.sounded_ms / 250 - len(reply.heard_text.split())) <= 1.5


async def test_pains_12_a_clear_is_sent_at_once_and_little_was_ahead() -> None:
    async with running(tts=longer(20_000)) as server, phoning(server) as phoned:
        await phoned.call.active_session().process_transcript("hello there")
        await phoned.phone.until(lambda phone: len(phone.of("mark")) >= 2)
        await phoned.call.active_session().interrupt()
        await phoned.phone.until(lambda phone: bool(phone.of("clear")))
        dropped_ms = phoned.phone.dropped_ms

    assert 0 < dropped_ms <= 200


async def test_pains_9_the_last_words_are_heard_before_the_call_is_hung_up() -> None:
    answers = {"turn": GOODBYE}
    async with answering_by_type(answers, tts=longer(700)) as (server, _), phoning(server, delay_ms=400) as phoned:
        await phoned.call.active_session().process_transcript("bye")
        await phoned.until_over()
        ended = await phoned.until(Ended)
        heard_ms = phoned.phone.sounded_ms

    assert EndReason.AGENT == ended.reason
    assert heard_ms >= 680


# --- hanging up ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gateway", ["asterisk", "jambonz", "audiohook"])
async def test_a_gateway_with_a_message_for_it_is_told_to_hang_up(gateway: str) -> None:
    async with answering_by_type({"turn": GOODBYE}) as (server, _), phoning(server, gateway) as phoned:
        await phoned.call.active_session().process_transcript("bye")
        await phoned.until_over()

    assert 1 == len(phoned.phone.of("hang_up"))


async def test_another_is_hung_up_over_rest_and_then_its_socket_is_closed() -> None:
    async with answering_by_type({"turn": GOODBYE}) as (server, _), controlled(server) as (control, phoned):
        await phoned.call.active_session().process_transcript("bye")
        closed = await phoned.until_over()

    assert [("hang_up", phoned.phone.call.call_id)] == control.asked
    assert "1000 agent" == closed


async def test_where_nothing_else_is_configured_the_socket_is_closed() -> None:
    async with answering_by_type({"turn": GOODBYE}) as (server, _), phoning(server) as phoned:
        await phoned.call.active_session().process_transcript("bye")
        closed = await phoned.until_over()

    assert "1000 agent" == closed


async def test_a_gateway_that_cannot_be_told_is_left_to_its_socket_being_closed() -> None:
    async with answering_by_type({"turn": GOODBYE}) as (server, _), controlled(server) as (control, phoned):
        control.fails = True
        await phoned.call.active_session().process_transcript("bye")
        closed = await phoned.until_over()

    assert "1000 agent" == closed


async def test_pains_9_a_gateway_that_never_returns_a_mark_does_not_keep_the_call() -> None:
    async with answering_by_type({"turn": GOODBYE}) as (server, _), phoning(server) as phoned:
        phoned.phone.returns_marks = False
        await phoned.call.active_session().process_transcript("bye")
        closed = await phoned.until_over()

    assert "1000 agent" == closed


async def test_a_session_that_an_operator_ends_hangs_up_too() -> None:
    async with running() as server, phoning(server, "asterisk") as phoned:
        await server.edge.calls.end(phoned.call, EndReason.DELETED)
        await phoned.until_over()

    assert 1 == len(phoned.phone.of("hang_up"))


async def test_a_server_that_shuts_down_leaves_the_call_to_the_gateways_plan() -> None:
    async with running() as server, phoning(server, "asterisk") as phoned:
        await server.edge.calls.end(phoned.call, EndReason.SERVER_SHUTDOWN)
        closed = await phoned.until_over()

    assert ("1001 server_shutdown", []) == (closed, phoned.phone.of("hang_up"))


async def test_pains_7_and_18_when_the_caller_hangs_up_all_is_freed() -> None:
    async with running(tts=longer(20_000)) as server:
        async with phoning(server) as phoned:
            await phoned.call.active_session().process_transcript("hello there")
            await phoned.until(ReplyStarted)
            await phoned.phone.press("1")
            await phoned.phone.hang_up()
            ended = await phoned.until(Ended)
        await until_no_phone_is_left()

        assert EndReason.CLIENT == ended.reason
        assert 0 == len(server.edge.calls)
        assert not any(MediaClock.of_running_loop()._slots)


async def test_pains_7_a_gateway_that_drops_the_connection_ends_the_session() -> None:
    async with running() as server, phoning(server) as phoned:
        phoned.phone.drop()
        ended = await phoned.until(Ended)

    assert EndReason.CLIENT == ended.reason


async def test_pains_7_a_gateway_that_falls_silent_is_gone() -> None:
    async with running(telephony={"silent_after": 1}) as server, phoning(server) as phoned:
        phoned.phone.sends = False
        ended = await phoned.until(Ended)
        closed = await phoned.until_over()

    assert (EndReason.CLIENT, "1000 client") == (ended.reason, closed)


async def test_a_gateway_that_does_not_answer_the_close_is_not_waited_for() -> None:
    async with running() as server, phoning(server) as phoned:
        phoned.phone.deafen()
        await server.edge.calls.end(phoned.call, EndReason.SERVER_SHUTDOWN)
        await until_no_phone_is_left()
        phoned.phone.drop()
        await phoned.until_over()

        assert 0 == len(server.edge.calls)


# --- keys ---------------------------------------------------------------------------------------------------------


async def test_keys_are_told_as_one_answer() -> None:
    async with answering_by_type({"dtmf": {"text": "Thank you."}}) as (server, asked), phoning(server) as phoned:
        for digit in "42#":
            await phoned.phone.press(digit)
        await phoned.until(ReplyDone)

    assert ["42"] == [request["digits"] for request in asked if request["type"] == "dtmf"]


async def test_where_the_gateway_does_not_tell_of_keys_their_tones_are_heard() -> None:
    answers: dict[str, object] = {"dtmf": {"text": "Thank you."}}
    async with answering_by_type(answers) as (server, asked), phoning(server, "freeswitch") as phoned:
        phoned.phone.say(pressed("42#", 8_000))
        await phoned.until(ReplyDone)

    assert ["42"] == [request["digits"] for request in asked if request["type"] == "dtmf"]


async def test_or_when_no_further_key_is_pressed() -> None:
    tables = {"telephony": {"dtmf": {"timeout": 0.3}}}
    async with answering_by_type({"dtmf": {"text": "Ok."}}, **tables) as (server, asked), phoning(server) as phoned:
        await phoned.phone.press("4")
        await phoned.phone.press("2")
        await phoned.until(ReplyDone)

    assert ["42"] == [request["digits"] for request in asked if request["type"] == "dtmf"]


async def test_a_key_stops_what_is_being_said() -> None:
    async with running(tts=longer(20_000)) as server, phoning(server) as phoned:
        await phoned.call.active_session().process_transcript("hello there")
        await phoned.phone.until(lambda phone: bool(phone.of("mark")))
        await phoned.phone.press("1")
        await phoned.until(ReplyCleared)
        await phoned.phone.until(lambda phone: bool(phone.of("clear")))

    assert phoned.of(ReplyDone)[0].interrupted


# --- what the agent does ------------------------------------------------------------------------------------------


async def test_a_call_is_transferred_when_the_last_word_was_heard() -> None:
    transfer = {"text": "One moment.", "actions": [{"action": "transfer", "to": "+15550142"}]}
    async with answering_by_type({"turn": transfer}) as (server, _), controlled(server) as (control, phoned):
        await phoned.call.active_session().process_transcript("an operator please")
        await phoned.until(AgentActed)

    assert [("transfer", phoned.phone.call.call_id, "+15550142")] == control.asked
    assert 1 == len(phoned.phone.of("mark"))


async def test_what_a_gateway_cannot_do_is_an_error_and_the_call_goes_on() -> None:
    transfer = {"text": "One moment.", "actions": [{"action": "transfer", "to": "+15550142"}]}
    async with answering_by_type({"turn": transfer}) as (server, _), phoning(server) as phoned:
        await phoned.call.active_session().process_transcript("an operator please")
        error = await phoned.until(ErrorOccurred)
        await phoned.call.active_session().process_transcript("hello")
        await phoned.until(ReplyDone, 2)

    assert (ErrorCode.AGENT_ERROR, False) == (error.code, error.fatal)
    assert "twilio: transfer: no REST interface is configured in telephony.twilio" == error.message


async def test_digits_go_where_the_gateway_takes_them() -> None:
    dial = {"text": "Dialling.", "actions": [{"action": "dtmf", "digits": "12"}]}
    async with (
        answering_by_type({"turn": dial}) as (server, _),
        controlled(server, DigitsControl()) as (control, phoned),
    ):
        await phoned.call.active_session().process_transcript("dial")
        await phoned.until(ReplyDone)

    assert [("send_digits", phoned.phone.call.call_id, "12")] == control.asked


# --- what goes wrong ----------------------------------------------------------------------------------------------


async def test_a_message_that_is_not_understood_is_told_and_does_no_harm() -> None:
    async with running() as server, phoning(server) as phoned:
        await phoned.phone.send_raw('{"event": "media", "media": {"payload": "***"}}')
        error = await phoned.until(ErrorOccurred)
        phoned.phone.say(voice(600, 8_000))
        reply = await phoned.until(ReplyDone)

    assert (ErrorCode.INVALID_INPUT, False) == (error.code, error.fatal)
    assert "media.payload" in error.message
    assert "hello there" == reply.heard_text


async def test_one_garbage_after_another_ends_the_call_and_no_other() -> None:
    async with running() as server, phoning(server) as other, phoning(server) as phoned:
        for _ in range(20):
            await phoned.phone.send_raw("garbage")
        closed = await phoned.until_over()
        other.phone.say(voice(600, 8_000))
        reply = await other.until(ReplyDone)

    assert "1007" == closed.split()[0]
    assert "hello there" == reply.heard_text


async def test_too_many_messages_without_audio_end_the_call() -> None:
    async with running(limits={"messages_per_second": 1}) as server, phoning(server) as phoned:
        for _ in range(20):
            await phoned.phone.send_raw('{"event": "connected"}')
        closed = await phoned.until_over()

    assert "1008 too many messages" == closed


async def test_a_message_that_is_too_long_is_the_last() -> None:
    async with running() as server, phoning(server) as phoned:
        await phoned.phone.send_raw("x" * (2**20 + 1))
        closed = await phoned.until_over()

    assert "1009 a message has at most 1 MiB" == closed


async def test_a_gateway_without_room_is_sent_nothing_and_loses_nothing() -> None:
    async with running(tts=longer(600)) as server, phoning(server, "asterisk") as phoned:
        await phoned.phone.send(FlowChanged(open=False))
        await phoned.call.active_session().process_transcript("hello there")
        await phoned.until(ReplyStarted)
        before = any(phoned.phone.heard)
        await phoned.phone.send(FlowChanged(open=True))
        reply = await phoned.until(ReplyDone)
        heard_ms = phoned.phone.sounded_ms

    assert not before
    assert ("hello there", False) == (reply.heard_text, reply.interrupted)
    assert 580 <= heard_ms <= 620


async def test_what_a_gateway_complains_of_is_told() -> None:
    async with running() as server, phoning(server, "telnyx") as phoned:
        await phoned.phone.send_raw('{"event": "error", "payload": {"code": 100003, "title": "malformed_frame"}}')
        error = await phoned.until(ErrorOccurred)

    assert ErrorCode.TRANSPORT_ERROR == error.code
    assert error.message.startswith("telnyx: ")
