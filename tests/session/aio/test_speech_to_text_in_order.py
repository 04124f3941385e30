"""Recognisers that fail, in the middle of a call, and those that take over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from providers.api import SttStream, Transcript
from providers.errors import Malformed, Rejected, TimedOut
from providers.fakes import FakeStt, FakeSttStream, Utterance
from session import SpeechToTextInOrder
from session.breaker import OPEN_MS, BreakerState
from session.notices import ErrorOccurred, TranscriptChanged, TurnDone
from tests.session.aio.several import GONE, SOON_MS, Clock, answering, calls, named, never, states
from tests.session.aio.stage import ASK, RATE_HZ, Witness, a_session, soon, speech

# --- in a session -----------------------------------------------------------------------------------------------


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


# --- one utterance ----------------------------------------------------------------------------------------------


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


async def test_one_that_is_left_when_its_final_was_late_has_failed() -> None:
    clock = Clock()
    stt = SpeechToTextInOrder([FakeStt(gate=never)], patience_ms=500, clock_ms=clock)
    for _ in range(5):
        stream = stt.open()
        clock.now_ms += 60_000  # they speak: nothing is due yet
        stream.finalise()
        clock.now_ms += 500
        await stream.aclose()

    assert [BreakerState.OPEN] == states(stt)


async def test_all_are_warmed_up_and_closed() -> None:
    ears = [FakeStt(), FakeStt()]
    several = SpeechToTextInOrder(ears)
    await several.warm_up()
    await several.aclose()

    assert all(each.closed for each in ears)
