"""What a session is given to say, and how it is heard."""

from __future__ import annotations

import asyncio

import pytest

from providers.api import SpeechOptions
from providers.fakes import FakeTts
from session import ErrorCode, SayOptions, SessionError, SessionState, VoiceSession
from session.notices import (
    ReplyDone,
)
from session.pacer import FRAME_MS, LEAD_MS
from tests.session.aio.stage import (
    STORY,
    Line,
    Witness,
    a_session,
    a_voice,
    refused,
    soon,
)

LISTENING, ENDED = SessionState.LISTENING, SessionState.ENDED
PROCESSING, SPEAKING = SessionState.PROCESSING, SessionState.SPEAKING


async def test_what_is_said_takes_its_time_to_be_heard() -> None:
    async with a_session() as session:
        await session.start()
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        handle = await session.say("x" * 60)  # 120 ms
        await soon(handle.wait_for_playout())
        heard_s = loop.time()

        assert heard_s - begun_s >= 0.115
        assert ("x" * 60, False) == (handle.heard_text, handle.interrupted)


async def test_saying_returns_before_the_voice_has_given_anything() -> None:
    async with a_session(tts=FakeTts(gate=asyncio.Event().wait)) as session:
        await session.start()
        handles = [await soon(session.say(text)) for text in ("This is said.", "This waits.")]

        assert [False, False] == [handle.done for handle in handles]


async def test_while_it_speaks_the_next_text_waits_its_turn() -> None:
    session = a_session()
    witness = Witness(session)
    async with session:
        await session.start()
        handles = await asyncio.gather(*(session.say(f"This is {name}.") for name in "abc"))
        await soon(asyncio.gather(*(handle.wait_for_playout() for handle in handles)))

        assert [handle.utterance_id for handle in handles] == [done.utterance_id for done in witness.of(ReplyDone)]
        assert [f"This is {name}." for name in "abc"] == [handle.heard_text for handle in handles]


@pytest.mark.parametrize("text", ["", " \n"])
async def test_a_text_of_nothing_is_invalid_input(text: str) -> None:
    async with a_session() as session:
        await session.start()

        assert ErrorCode.INVALID_INPUT is (await refused(session.say(text))).code
        assert {} == session._handles


async def test_how_a_text_is_said_reaches_the_voice() -> None:
    tts = a_voice()
    async with a_session(tts=tts) as session:
        await session.start()
        await soon((await session.say("Hello.", SayOptions("joe", 2.0, 0.5))).wait_for_playout())

        assert [("Hello.", SpeechOptions("joe", 2.0, 0.5))] == tts.requests


async def test_a_text_that_waits_can_be_cancelled_and_again() -> None:
    session = a_session()
    witness = Witness(session)
    async with session:
        await session.start()
        first, second = await session.say(STORY), await session.say("Never.")
        await witness.until_speaking()
        for _ in range(3):
            await second.cancel()
        await soon(second.wait_for_playout())

        assert (True, "") == (second.interrupted, second.heard_text)
        assert not first.done


async def test_a_text_that_is_heard_can_be_cancelled_even_where_interruptions_are_not_allowed() -> None:
    session = a_session(tts=a_voice(ms_per_character=4))
    witness = Witness(session)
    async with session:
        await session.start()
        handle = await session.say(STORY, SayOptions(allow_interruptions=False))
        await witness.until_speaking()
        for _ in range(3):
            await handle.cancel()
        await soon(handle.wait_for_playout())

        assert handle.interrupted
        assert handle.heard_text != STORY.strip()
        assert STORY.startswith(handle.heard_text)
        assert LISTENING is session.state


async def test_a_handle_outlives_its_session() -> None:
    async with a_session() as session:
        await session.start()
        handle = await session.say(STORY)
        await session.stop()
        await handle.cancel()
        await soon(handle.wait_for_playout())

        assert handle.interrupted


async def test_a_listener_who_reports_what_they_heard_is_believed() -> None:
    session = a_session(tts=a_voice(ms_per_character=20))
    witness = Witness(session)
    async with session:
        session.played(50)
        await session.start()
        handle = await session.say("One two.")  # 160 ms
        await witness.until_speaking()
        session.played(60)
        await handle.cancel()

        assert "One" == handle.heard_text


# --- what is heard ----------------------------------------------------------------------------------------------


async def test_without_a_transport_the_reply_is_handed_out_in_real_time() -> None:
    loop = asyncio.get_running_loop()

    async def listen(session: VoiceSession) -> list[tuple[float, bytes]]:
        return [(loop.time(), frame) async for frame in session.output()]

    async with a_session() as session:
        await session.start()
        listening = asyncio.create_task(listen(session))
        begun_s = loop.time()
        await soon((await session.say("x" * 150)).wait_for_playout())  # 300 ms
    frames = await soon(listening)

    assert 15 == len(frames)
    assert {640} == {len(frame) for _, frame in frames}
    for number, (at_s, _) in enumerate(frames):
        assert at_s - begun_s >= (number * 20 - 100) / 1000 - 0.005


async def test_the_output_has_the_rate_of_the_voice_or_of_the_transport() -> None:
    assert 22_050 == a_session(tts=FakeTts(rate_hz=22_050)).output_rate_hz
    assert 8_000 == a_session(transport=Line(8_000)).output_rate_hz


async def test_a_transport_is_given_the_reply_at_its_rate() -> None:
    line = Line(8_000)
    async with a_session(transport=line) as session:
        await session.start()
        await soon((await session.say("x" * 50)).wait_for_playout())

    assert [320] * 5 == [len(frame) for frame in line.frames]


def test_where_a_transport_takes_the_audio_nobody_else_can() -> None:
    with pytest.raises(SessionError) as error:
        a_session(transport=Line()).output()

    assert ErrorCode.INVALID_STATE is error.value.code


async def test_many_sessions_in_one_loop_do_not_mix() -> None:
    async def one(name: int) -> str:
        async with a_session() as session:
            await session.start()
            handle = await session.say(f"This is {name}.")
            await soon(handle.wait_for_playout())
            return handle.heard_text

    assert [f"This is {name}." for name in range(20)] == await asyncio.gather(*map(one, range(20)))


# --- the connection is lost and comes back --------------------------------------------------------------------------


async def test_a_held_reply_goes_on_with_the_sample_after_the_last_that_was_heard() -> None:
    line, under_way = Line(), asyncio.Event()
    keep = line.send_audio

    def send_audio(frame: bytes) -> None:
        keep(frame)
        if len(line.frames) == 10:
            under_way.set()

    line.send_audio = send_audio  # type: ignore[method-assign] # a line that tells how far it is
    session = a_session(transport=line, tts=a_voice(20))
    async with session:
        await session.start()
        handle = await session.say("Once upon a time there was a whale.")
        await soon(under_way.wait())
        session.hold()
        session.hold()
        sent = len(line.frames)
        playout = asyncio.create_task(handle.wait_for_playout())
        await asyncio.wait([playout], timeout=0.1)
        held = len(line.frames)
        session.go_on()
        await soon(playout)

    again_ms = 20 * len(line.frames) - 20 * len("Once upon a time there was a whale.")
    assert sent == held
    assert 0 < again_ms <= LEAD_MS + 2 * FRAME_MS
    assert "Once upon a time there was a whale." == handle.heard_text


async def test_only_an_active_session_is_held_and_goes_on() -> None:
    session = a_session()
    for act in (session.hold, session.go_on):
        with pytest.raises(SessionError, match="session_not_active"):
            act()
