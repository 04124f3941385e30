"""Recognisers and voices that fail, in the middle of a call, and those that take over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from providers.api import SpeechChunk, SpeechOptions, SttStream, Transcript, WordTiming
from providers.errors import Malformed, ProviderError, Rejected, TimedOut, Unreachable
from providers.fakes import FakeAgent, FakeStt, FakeSttStream, FakeTts, Utterance
from session import ErrorCode, SessionConfig, SpeechToTextInOrder, TextToSpeechInOrder, VoiceSession
from session.breaker import OPEN_MS, BreakerState
from session.notices import ErrorOccurred, ProviderCalled, ReplyDone, TranscriptChanged, TurnDone
from tests.session.aio.stage import ASK, RATE_HZ, Line, Witness, a_session, soon, speech

GONE = Unreachable("gone", provider="first")
PLAIN = SpeechOptions()
SOON_MS = 20


async def never() -> None:
    await asyncio.Event().wait()


class Clock:
    now_ms = 0

    def __call__(self) -> int:
        return self.now_ms


def named(provider: Any, name: str) -> Any:
    provider.name = name
    return provider


def failing_voice(*errors: ProviderError | None) -> FakeTts:
    voice: FakeTts = named(FakeTts(rate_hz=RATE_HZ, samples_per_character=32, errors=errors), "first")
    return voice


def second_voice(rate_hz: int = RATE_HZ) -> FakeTts:
    voice: FakeTts = named(FakeTts(rate_hz=rate_hz, samples_per_character=2 * rate_hz // 1000), "second")
    return voice


async def spoken(tts: TextToSpeechInOrder, text: str = "hello", options: SpeechOptions = PLAIN) -> list[SpeechChunk]:
    return [chunk async for chunk in tts.synthesise(text, options)]


def states(several: SpeechToTextInOrder | TextToSpeechInOrder) -> list[BreakerState]:
    return [breaker.state for _, breaker in several.breakers]


def calls(witness: Witness, kind: str) -> list[tuple[str, str | None]]:
    return [(call.provider, call.error) for call in witness.of(ProviderCalled) if call.kind == kind]


# --- voices, in a session ---------------------------------------------------------------------------------------


def answering(answer: str) -> FakeAgent:
    return FakeAgent(lambda request: [answer] if request.type == "turn" else [])


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


async def test_a_voice_that_fails_midway_is_told_and_excused_and_the_next_turn_works() -> None:
    second = second_voice()
    long = "This sentence is longer than what the first of the voices gives in a chunk."
    answers = iter([long, "Fine."])
    session = a_session(
        tts=TextToSpeechInOrder([failing_voice(None, GONE), second]),
        agent=FakeAgent(lambda request: [next(answers)] if request.type == "turn" else []),
        config=SessionConfig(apology="Sorry."),
    )
    witness = Witness(session)
    async with session:
        await session.start()
        await session.process_transcript("one")
        error = await witness.until(ErrorOccurred)
        apology = await witness.until(ReplyDone, 2)
        await session.process_transcript("two")
        fine = await witness.until(ReplyDone, 3)

        assert ErrorCode.TTS_ERROR is error.code
        assert ("Sorry.", "Fine.") == (apology.heard_text, fine.heard_text)
        assert [] == second.requests
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


# --- voices, one request ----------------------------------------------------------------------------------------


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
    with pytest.raises(Unreachable):
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
    voices, ears = [FakeTts(), FakeTts()], [FakeStt(), FakeStt()]
    for several in (TextToSpeechInOrder(voices), SpeechToTextInOrder(ears)):
        await several.warm_up()
        await several.aclose()

    assert all(each.closed for each in voices)
    assert all(each.closed for each in ears)


# --- recognisers, in a session ----------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", [FakeStt([Utterance((GONE,))]), FakeStt(["never heard"], gate=never)])
async def test_a_recogniser_that_fails_or_stalls_is_replaced_and_nothing_is_said_again(broken: FakeStt) -> None:
    first: FakeStt = named(broken, "first")
    second: FakeStt = named(FakeStt(["what time is it"]), "second")
    agent = answering("Five.")
    session = a_session(stt=SpeechToTextInOrder([first, second], patience_ms=SOON_MS), agent=agent)
    witness = Witness(session)
    async with session:
        await session.start()
        for audio in ASK:
            await session.process_audio(audio)
        heard = await witness.until(TranscriptChanged)
        await witness.until(TurnDone)

        assert "what time is it" == heard.text
        assert second.streams[0].fed.startswith(first.streams[0].fed[:20_000])
        assert first.streams[0].closed
        assert ["first", "second"] == [provider for provider, _ in calls(witness, "stt")]
        assert [] == witness.of(ErrorOccurred)

    assert second.streams[0].closed


# --- recognisers, one utterance ---------------------------------------------------------------------------------


class Deaf:
    """Breaks at the step it is told to break at."""

    name = "first"
    rate_hz = RATE_HZ

    def __init__(self, at: str, error: Exception = GONE) -> None:
        self._at = at
        self._error = error
        self.closed = 0

    def _step(self, name: str) -> None:
        if name == self._at:
            raise self._error

    async def warm_up(self) -> None: ...

    def open(self, *, language: str | None = None) -> SttStream:
        self._step("open")
        return self

    def feed(self, pcm: bytes) -> None:
        self._step("feed")

    def finalise(self) -> None:
        self._step("finalise")

    async def __aiter__(self) -> AsyncIterator[Transcript]:
        self._step("read")
        if self._at != "end":
            await never()
        nothing: tuple[Transcript, ...] = ()
        for transcript in nothing:
            yield transcript

    async def aclose(self) -> None:
        self.closed += 1
        self._step("read")


async def first_final(stream: SttStream) -> str:
    async for transcript in stream:
        if transcript.final:
            return transcript.text
    raise AssertionError("it ended without a final")


@pytest.mark.parametrize("at", ["open", "feed", "finalise", "read", "end"])
@pytest.mark.parametrize("error", [GONE, Rejected("no"), KeyError("its own mistake")])
async def test_wherever_a_recogniser_breaks_the_next_hears_all(at: str, error: Exception) -> None:
    second = FakeStt(["hello"])
    stream = SpeechToTextInOrder([Deaf(at, error), second]).open(language="en")
    stream.feed(speech(100))
    stream.finalise()

    assert "hello" == await soon(first_final(stream))
    assert speech(100) == second.streams[0].fed
    assert 1 == second.streams[0].finalised

    await stream.aclose()


async def test_one_that_takes_over_and_breaks_while_it_catches_up_is_replaced_too() -> None:
    middle, third = named(Deaf("feed"), "middle"), FakeStt(["hello"])
    stream = SpeechToTextInOrder([Deaf("finalise"), middle, third]).open()
    stream.feed(speech(100))
    stream.finalise()

    assert "hello" == await soon(first_final(stream))

    await stream.aclose()

    assert 1 == middle.closed
    assert speech(100) == third.streams[0].fed


async def test_when_all_recognisers_fail_the_last_error_is_raised() -> None:
    stream = SpeechToTextInOrder([Deaf("read"), Deaf("read", TimedOut("late"))]).open()
    with pytest.raises(TimedOut):
        await soon(first_final(stream))
    stream.feed(speech(20))
    stream.finalise()
    await stream.aclose()

    with pytest.raises(TimedOut):
        SpeechToTextInOrder([Deaf("open"), Deaf("open", TimedOut("late"))]).open()


async def test_a_stream_that_ends_by_itself_is_malformed() -> None:
    stream = SpeechToTextInOrder([Deaf("end")]).open()
    with pytest.raises(Malformed):
        await soon(first_final(stream))
    await stream.aclose()


async def test_a_recogniser_may_take_its_time_where_there_is_no_other() -> None:
    gate = asyncio.Event()
    stream = SpeechToTextInOrder([FakeStt(["hello"], gate=gate.wait)], patience_ms=0).open()
    stream.finalise()
    asyncio.get_running_loop().call_later(0.02, gate.set)

    assert "hello" == await soon(first_final(stream))

    await stream.aclose()


async def test_every_final_is_given_and_each_has_its_own_time() -> None:
    stt = SpeechToTextInOrder([FakeStt([Utterance(("one", "one two"), interims=("on",))])])
    stream = stt.open()
    stream.feed(speech(20))
    stream.finalise()
    stream.finalise()
    heard: list[str] = []
    async for transcript in stream:
        heard.append(transcript.text)
        if len(heard) == 3:
            await stream.aclose()
    stream.feed(speech(20))
    stream.finalise()

    assert ["on", "one", "one two"] == heard


async def test_audio_is_converted_to_the_rate_of_whoever_takes_over() -> None:
    second = FakeStt(["hello"], rate_hz=8_000)
    stream = SpeechToTextInOrder([Deaf("finalise"), second]).open()
    for _ in range(10):
        stream.feed(speech(100))
    stream.finalise()
    await soon(first_final(stream))
    stream.feed(speech(100))
    await stream.aclose()

    assert 8_000 * 2 * 1.1 == pytest.approx(len(second.streams[0].fed), rel=0.01)


async def test_the_breaker_of_a_recogniser_opens_and_closes() -> None:
    clock = Clock()
    first: FakeStt = named(FakeStt([Utterance((GONE,))] * 5 + [Utterance(("well",))] * 2), "first")
    stt = SpeechToTextInOrder([first, FakeStt([Utterance(("other",))] * 9)], clock_ms=clock)

    async def hear() -> str:
        stream = stt.open()
        stream.feed(speech(20))
        stream.finalise()
        text = await soon(first_final(stream))
        await stream.aclose()
        return text

    assert ["other"] * 6 == [await hear() for _ in range(6)]
    assert (BreakerState.OPEN, 5) == (states(stt)[0], len(first.streams))

    clock.now_ms = OPEN_MS

    assert ["well"] * 2 == [await hear() for _ in range(2)]
    assert BreakerState.CLOSED is states(stt)[0]


async def test_only_so_much_is_kept_for_whoever_takes_over() -> None:
    first, second = FakeStt(), FakeStt()
    both = SpeechToTextInOrder([first, second]).open()
    alone = SpeechToTextInOrder([FakeStt()]).open()
    for stream in (both, alone):
        for _ in range(40):
            stream.feed(speech(1_000))

    assert (30 * RATE_HZ * 2, 0) == (len(both._kept), len(alone._kept))
    assert isinstance(first.streams[0], FakeSttStream)

    await both.aclose()
    await alone.aclose()
