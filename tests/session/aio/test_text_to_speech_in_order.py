"""Voices that fail, in the middle of a call and of a piece, and those that take over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from providers.api import SpeechChunk, SpeechOptions, TextToSpeech, WordTiming
from providers.errors import ProviderError, TimedOut
from providers.fakes import FakeAgent, FakeTts
from session import ErrorCode, SessionConfig, TextToSpeechInOrder, VoiceSession
from session.aio.attempts import NobodyIsWell
from session.breaker import OPEN_MS, BreakerState
from session.notices import ErrorOccurred, ReplyDone, TurnDone
from tests.session.aio.several import GONE, SOON_MS, Clock, answering, calls, named, never, states
from tests.session.aio.stage import RATE_HZ, Line, Witness, a_session, soon

PLAIN = SpeechOptions()
LONG = "This sentence is longer than what the first of the voices gives in a chunk."


def failing_voice(*errors: ProviderError | None) -> FakeTts:
    voice: FakeTts = named(
        FakeTts(rate_hz=RATE_HZ, samples_per_character=32, chunk_samples=1_000, errors=errors), "first"
    )
    return voice


def second_voice(rate_hz: int = RATE_HZ) -> FakeTts:
    voice: FakeTts = named(FakeTts(rate_hz=rate_hz, samples_per_character=2 * rate_hz // 1000), "second")
    return voice


async def spoken(tts: TextToSpeechInOrder, text: str = "hello", options: SpeechOptions = PLAIN) -> list[SpeechChunk]:
    return [chunk async for chunk in tts.synthesise(text, options)]


# --- in a session ------------------------------------------------------------------------------------------------


async def test_a_voice_that_fails_at_once_is_replaced_within_the_same_turn() -> None:
    second, line = second_voice(), Line()
    session = a_session(
        tts=TextToSpeechInOrder([failing_voice(GONE), second]), agent=answering("It is five."), transport=line
    )
    witness = Witness(session)
    async with session:
        await session.start()
        await session.process_transcript("what time is it")
        await witness.until(TurnDone)

        assert "It is five." == witness.of(ReplyDone)[0].heard_text
        assert ["It is five."] == [text for text, _ in second.requests]
        assert [] == witness.of(ErrorOccurred)
        assert [("first", "unreachable"), ("second", None)] == calls(witness, "tts")
        assert line.frames


async def test_a_voice_that_breaks_midway_is_replaced_from_the_word_it_broke_at() -> None:
    second, line = second_voice(), Line()
    tts = TextToSpeechInOrder([failing_voice(None, GONE), second])
    session = a_session(tts=tts, agent=answering(LONG), transport=line)
    witness = Witness(session)
    async with session:
        await session.start()
        await session.process_transcript("one")
        done = await witness.until(ReplyDone)

        assert LONG == done.heard_text
        assert ["what the first of the voices gives in a chunk."] == [text for text, _ in second.requests]
        assert [] == witness.of(ErrorOccurred)
        assert [("first", "unreachable"), ("second", None)] == calls(witness, "tts")


async def test_a_voice_that_breaks_midway_and_has_no_other_is_excused_and_the_next_turn_works() -> None:
    answers = iter([LONG, "Fine."])
    session = a_session(
        tts=TextToSpeechInOrder([failing_voice(None, GONE)]),
        agent=FakeAgent(lambda request: [next(answers)] if request.type == "turn" else []),
        config=SessionConfig(apology="Sorry."),
    )
    witness = Witness(session)
    async with session:
        await session.start()
        await session.process_transcript("one")
        error = await witness.until(ErrorOccurred)
        cut, apology = await witness.until(ReplyDone), await witness.until(ReplyDone, 2)
        await session.process_transcript("two")
        fine = await witness.until(ReplyDone, 3)

        assert ErrorCode.TTS_ERROR is error.code
        assert LONG.startswith(cut.heard_text)
        assert ("Sorry.", "Fine.") == (apology.heard_text, fine.heard_text)
        assert ("first", "unreachable") == calls(witness, "tts")[0]


async def test_what_one_session_learns_spares_the_others_and_the_first_is_taken_back() -> None:
    clock = Clock()
    first, second = failing_voice(GONE), second_voice()
    tts = TextToSpeechInOrder([first, second], clock_ms=clock)

    async def say(session: VoiceSession, times: int) -> None:
        for _ in range(times):
            handle = await session.say("Hello.")
            await soon(handle.wait_for_playout())
            assert "Hello." == handle.heard_text

    async with a_session(tts=tts) as one, a_session(tts=tts) as other:
        await one.start()
        await other.start()
        await say(one, 3)
        await say(other, 2)

        assert [BreakerState.OPEN, BreakerState.CLOSED] == states(tts)

        await say(one, 2)
        clock.now_ms = OPEN_MS - 1
        await say(other, 1)

        assert (5, 8) == (len(first.requests), len(second.requests))

        first._errors = ()
        clock.now_ms = OPEN_MS
        await say(one, 1)

        assert BreakerState.HALF_OPEN is states(tts)[0]

        await say(other, 1)

        assert BreakerState.CLOSED is states(tts)[0]
        assert (7, 8) == (len(first.requests), len(second.requests))


# --- one request -----------------------------------------------------------------------------------------------


async def test_a_voice_that_is_late_is_replaced() -> None:
    late = named(FakeTts(gate=never), "first")
    tts = TextToSpeechInOrder([late, second_voice()], patience_ms=SOON_MS)

    assert 1 == len(await soon(spoken(tts)))
    assert 1 == late.abandoned


async def test_a_voice_may_take_its_time_where_there_is_no_other() -> None:
    gate = asyncio.Event()
    tts = TextToSpeechInOrder([FakeTts(gate=gate.wait)], patience_ms=0)
    asyncio.get_running_loop().call_later(0.02, gate.set)

    assert await soon(spoken(tts))


@pytest.mark.parametrize("rate_hz", [8_000, 22_050])
async def test_all_voices_speak_at_the_rate_of_the_first(rate_hz: int) -> None:
    tts = TextToSpeechInOrder([failing_voice(GONE), second_voice(rate_hz)])
    chunks = await spoken(tts, "hello you")

    assert RATE_HZ == tts.rate_hz
    assert 9 * 32 == pytest.approx(sum(len(chunk.pcm) // 2 for chunk in chunks), abs=8)
    assert [5 * 32, 9 * 32] == pytest.approx([word.end_sample for chunk in chunks for word in chunk.words], abs=8)
    assert all(isinstance(word, WordTiming) for chunk in chunks for word in chunk.words)


async def test_a_voice_is_named_to_the_first_only() -> None:
    first, second = failing_voice(GONE), second_voice()
    await spoken(TextToSpeechInOrder([first, second]), options=SpeechOptions("joe", speed=1.5))

    assert SpeechOptions("joe", speed=1.5) == first.requests[0][1]
    assert SpeechOptions(None, speed=1.5) == second.requests[0][1]


async def test_when_all_voices_fail_the_last_error_is_raised_and_later_nobody_is_asked() -> None:
    first, second = failing_voice(GONE), named(FakeTts(errors=[TimedOut("late")]), "second")
    tts = TextToSpeechInOrder([first, second])
    for _ in range(5):
        with pytest.raises(TimedOut):
            await spoken(tts)
    with pytest.raises(NobodyIsWell):
        await spoken(tts)

    assert (5, 5) == (len(first.requests), len(second.requests))


async def test_a_trial_that_is_interrupted_is_none() -> None:
    clock = Clock()
    tts = TextToSpeechInOrder([failing_voice(GONE), second_voice()], clock_ms=clock)
    for _ in range(5):
        await spoken(tts)
    clock.now_ms = OPEN_MS
    tts._members.first._errors = ()  # type: ignore[attr-defined] # it is a fake
    chunks = tts.synthesise("hello", PLAIN)
    await anext(chunks)

    assert not tts.breakers[0][1].allows(clock.now_ms)

    await chunks.aclose()

    assert tts.breakers[0][1].allows(clock.now_ms)


async def test_all_are_warmed_up_and_closed() -> None:
    voices = [FakeTts(), FakeTts()]
    several = TextToSpeechInOrder(voices)
    await several.warm_up()
    await several.aclose()

    assert all(each.closed for each in voices)


# --- in the middle of a piece ------------------------------------------------------------------------------------


class Breaking:
    """Gives one chunk, with the words it is told to time, and breaks."""

    name = "first"
    rate_hz = RATE_HZ

    def __init__(self, duration_ms: int, *words: WordTiming, error: Exception | None = GONE) -> None:
        self._chunk = SpeechChunk(bytes(2 * RATE_HZ * duration_ms // 1000), words)
        self._error = error

    async def warm_up(self) -> None: ...

    async def synthesise(self, text: str, options: SpeechOptions) -> AsyncGenerator[SpeechChunk, None]:
        yield self._chunk
        if self._error is None:
            await never()
        else:
            raise self._error

    async def aclose(self) -> None: ...


def at(word: str, end_ms: int) -> WordTiming:
    return WordTiming(word, RATE_HZ * end_ms // 1000)


@pytest.mark.parametrize(
    ("broken", "rest"),
    [
        (Breaking(500, at("Please", 200), at("hold", 500), at("the", 700), at("line", 900)), "the line."),
        (Breaking(499, at("Please", 200), at("hold", 500)), "hold the line."),
        (Breaking(199, at("Please", 200)), "Please hold the line."),
        (Breaking(540), "hold the line."),  # without times by slow speech: six characters take 540 ms
        (Breaking(539), "Please hold the line."),
        (Breaking(540, at("Do", 100), at("hold", 500)), "hold the line."),  # times of words that are not of the text
        (Breaking(540, *(at("e", ms) for ms in range(5))), "hold the line."),  # and of more than there are
        (Breaking(0), "Please hold the line."),
        (Breaking(60_000), "line."),
        (Breaking(540, error=KeyError("its own mistake")), "hold the line."),
    ],
)
async def test_the_next_begins_with_the_word_that_was_not_wholly_spoken(broken: Breaking, rest: str) -> None:
    second = second_voice()
    await spoken(TextToSpeechInOrder([broken, second]), "Please hold the line.")

    assert [rest] == [text for text, _ in second.requests]


async def test_a_voice_that_stalls_midway_is_replaced_too() -> None:
    second = second_voice()
    stalling = Breaking(200, at("Please", 200), error=None)
    await soon(spoken(TextToSpeechInOrder([stalling, second], patience_ms=SOON_MS), "Please hold."))

    assert ["hold."] == [text for text, _ in second.requests]


async def test_words_are_timed_on_the_whole_piece_whoever_spoke_them() -> None:
    broken = Breaking(500, at("Please", 200), at("hold", 400), at("the", 600), at("line.", 900))
    chunks = await spoken(TextToSpeechInOrder([broken, second_voice()]), "Please hold the line.")

    assert [at("Please", 200), at("hold", 400), at("the", 506), at("line.", 518)] == [
        word for chunk in chunks for word in chunk.words
    ]
    assert 518 * RATE_HZ // 1000 == sum(len(chunk.pcm) // 2 for chunk in chunks)


async def test_a_third_says_what_the_second_did_not() -> None:
    third = second_voice()
    voices: list[TextToSpeech] = [Breaking(300, at("Please", 200)), Breaking(300, at("hold", 200)), third]
    await spoken(TextToSpeechInOrder(voices), "Please hold the line.")

    assert ["the line."] == [text for text, _ in third.requests]


async def test_a_voice_that_breaks_behind_its_last_word_is_not_replaced() -> None:
    second = second_voice()
    tts = TextToSpeechInOrder([Breaking(500, at("Hello.", 400)), second])
    chunks = await spoken(tts, "Hello.")

    assert 1 == len(chunks)
    assert [] == second.requests


class Rounding:
    """Times its word a little beyond the sound, as a conversion of rates does."""

    name = "rounding"
    rate_hz = RATE_HZ

    async def warm_up(self) -> None: ...

    async def synthesise(self, text: str, options: SpeechOptions) -> AsyncGenerator[SpeechChunk, None]:
        yield SpeechChunk(bytes(8_000), (WordTiming(text, 4_001),))

    async def aclose(self) -> None: ...


async def test_words_that_are_timed_beyond_the_sound_are_given_at_its_end() -> None:
    chunks = await spoken(TextToSpeechInOrder([Rounding()]))

    assert [(), (WordTiming("hello", 4_001),)] == [chunk.words for chunk in chunks]
