"""One coroutine per job: what a provider gives becomes events, and so does what it raises."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator

import pytest

from providers.api import (
    AgentAction,
    AgentOutput,
    AgentRequest,
    SpeechChunk,
    SpeechOptions,
    TurnSoFar,
    WordTiming,
)
from providers.errors import Malformed, ProviderError, Rejected, Unreachable
from providers.fakes import FakeAgent, FakeStt, FakeTts, FakeTurnDetector, Utterance
from providers.phrase_cache import PhraseCache
from session.aio.stages import Stages
from session.aio.text_to_speech_in_order import TextToSpeechInOrder
from session.events import (
    AgentDid,
    AgentFinished,
    AgentSaid,
    Event,
    Failed,
    Judged,
    Spoken,
    SpokenWhole,
    Transcribed,
)
from session.notices import ProviderCalled
from tests.session.aio.stage import RATE_HZ, soon

JOB = 7
TURN = AgentRequest("turn", "s", transcript="hello")
PLAIN = SpeechOptions()


class Rig:
    """Stages, with a clock that moves on by 10 ms whenever it is looked at."""

    def __init__(self, output_rate_hz: int = RATE_HZ) -> None:
        self.events: list[Event] = []
        self.calls: list[ProviderCalled] = []
        self.audio = bytearray()
        self._now_ms = 0
        self._more = asyncio.Event()
        self.stages = Stages(
            post=self._post,
            tell=self.calls.append,
            clock_ms=self._clock_ms,
            queue_audio=self.audio.extend,
            output_rate_hz=output_rate_hz,
        )

    @property
    def failure(self) -> Failed:
        (failed,) = (event for event in self.events if isinstance(event, Failed))
        return failed

    async def until(self, count: int) -> None:
        while len(self.events) < count:
            self._more.clear()
            await soon(self._more.wait())

    def _post(self, event: Event) -> None:
        self.events.append(event)
        self._more.set()

    def _clock_ms(self) -> int:
        self._now_ms += 10
        return self._now_ms


# --- transcription ----------------------------------------------------------------------------------------------


async def test_interims_and_finals_are_transcribed_until_the_stream_is_closed() -> None:
    rig, stream = Rig(), FakeStt([Utterance(("one two",), ("one",))]).open(language="en")
    working = asyncio.create_task(rig.stages.transcribe(JOB, "fake", stream))
    stream.feed(b"xx")
    rig.stages.finalise(JOB, "fake", stream)
    await rig.until(2)
    await stream.aclose()
    await soon(working)

    assert [
        Transcribed(JOB, "one", final=False, language="en"),
        Transcribed(JOB, "one two", final=True, language="en"),
    ] == rig.events


async def test_each_final_is_a_call_of_its_own_from_when_it_was_asked_for() -> None:
    rig, stream = Rig(), FakeStt([Utterance(("one", "one two"))]).open()
    working = asyncio.create_task(rig.stages.transcribe(JOB, "fake", stream))
    rig.stages.finalise(JOB, "fake", stream)
    rig.stages.finalise(JOB, "fake", stream)
    await rig.until(2)
    await stream.aclose()
    await soon(working)

    assert [ProviderCalled("stt", "fake", 20), ProviderCalled("stt", "fake", 20)] == rig.calls


async def test_a_stream_that_breaks_is_a_failure_and_is_closed() -> None:
    rig, stream = Rig(), FakeStt([Utterance((Unreachable("gone", provider="fake"),))]).open()
    stream.finalise()
    await soon(rig.stages.transcribe(JOB, "fake", stream))

    assert (JOB, "fake: gone", True) == (rig.failure.job, rig.failure.message, rig.failure.retryable)
    assert 0 <= rig.failure.jitter <= 1
    assert ["unreachable"] == [call.error for call in rig.calls]
    assert stream.closed


async def test_a_transcription_that_is_cancelled_closes_its_stream_and_says_nothing() -> None:
    rig, stream = Rig(), FakeStt().open()
    working = asyncio.create_task(rig.stages.transcribe(JOB, "fake", stream))
    await asyncio.sleep(0)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)

    assert stream.closed
    assert ([], []) == (rig.events, rig.calls)


async def test_a_stream_that_cannot_be_opened_fails_as_one_that_broke() -> None:
    rig = Rig()
    await soon(rig.stages.refused(JOB, "fake", Rejected("closed", provider="fake")))

    assert ("fake: closed", False) == (rig.failure.message, rig.failure.retryable)
    assert ["rejected"] == [call.error for call in rig.calls]


# --- the end of a turn ------------------------------------------------------------------------------------------


async def test_a_verdict_is_judged() -> None:
    rig, detector = Rig(), FakeTurnDetector([0.7])
    turn = TurnSoFar("one two")
    await soon(rig.stages.judge(JOB, detector, turn))

    assert [turn] == detector.turns
    assert [Judged(JOB, 0.7)] == rig.events
    assert [ProviderCalled("turn", "fake", 10)] == rig.calls


async def test_a_detector_that_fails_is_a_failure() -> None:
    rig = Rig()
    await soon(rig.stages.judge(JOB, FakeTurnDetector([Malformed("what?")]), TurnSoFar("one")))

    assert ("what?", False) == (rig.failure.message, rig.failure.retryable)
    assert ["malformed"] == [call.error for call in rig.calls]


# --- the agent --------------------------------------------------------------------------------------------------


async def test_what_an_agent_says_and_does_comes_in_order() -> None:
    rig, agent = (
        Rig(),
        FakeAgent([["Good", "bye.", AgentAction("transfer", to="+32"), AgentAction("dtmf", digits="5")]]),
    )
    await soon(rig.stages.ask(JOB, agent, TURN))

    assert [TURN] == agent.asked
    assert [
        AgentSaid(JOB, "Good"),
        AgentSaid(JOB, "bye."),
        AgentDid(JOB, "transfer", to="+32"),
        AgentDid(JOB, "dtmf", digits="5"),
        AgentFinished(JOB),
    ] == rig.events


async def test_the_latency_of_a_call_is_that_of_its_first_result() -> None:
    rig = Rig()
    await soon(rig.stages.ask(JOB, FakeAgent([["One. ", "Two. ", "Three."]]), TURN))

    assert [ProviderCalled("agent", "fake", 10)] == rig.calls


async def test_an_agent_that_says_nothing_has_finished() -> None:
    rig = Rig()
    await soon(rig.stages.ask(JOB, FakeAgent(), TURN))

    assert [AgentFinished(JOB)] == rig.events


async def test_an_agent_that_breaks_off_has_said_what_it_said() -> None:
    rig = Rig()
    await soon(rig.stages.ask(JOB, FakeAgent([["Good", Unreachable("gone")]]), TURN))

    assert AgentSaid(JOB, "Good") == rig.events[0]
    assert "gone" == rig.failure.message
    assert ["unreachable"] == [call.error for call in rig.calls]


async def test_what_the_contract_does_not_allow_is_a_failure_too_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Careless(FakeAgent):
        async def ask(self, request: AgentRequest) -> AsyncGenerator[AgentOutput, None]:
            raise KeyError("choices")
            yield

    rig = Rig()
    with caplog.at_level(logging.ERROR):
        await soon(rig.stages.ask(JOB, Careless(), TURN))

    assert ("KeyError: 'choices'", False) == (rig.failure.message, rig.failure.retryable)
    assert ["internal_error"] == [call.error for call in rig.calls]
    assert 1 == len(caplog.records)


async def test_an_agent_whose_job_is_cancelled_is_abandoned_at_once() -> None:
    rig, waiting = Rig(), asyncio.Event()
    agent = FakeAgent([["One.", "Two."]], gate=waiting.wait)
    working = asyncio.create_task(rig.stages.ask(JOB, agent, TURN))
    await asyncio.sleep(0)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)

    assert [TURN] == agent.abandoned
    assert ([], []) == (rig.events, rig.calls)


# --- the voice --------------------------------------------------------------------------------------------------


async def test_speech_is_queued_before_it_is_told_of() -> None:
    rig, tts = Rig(), FakeTts(rate_hz=RATE_HZ, samples_per_character=100, chunk_samples=300)
    await soon(rig.stages.say(JOB, tts, "ab cd", PLAIN))

    assert [
        Spoken(JOB, 300, (WordTiming("ab", 200),)),
        Spoken(JOB, 200, (WordTiming("cd", 500),)),
        SpokenWhole(JOB),
    ] == rig.events
    assert 500 * 2 == len(rig.audio)
    assert [ProviderCalled("tts", "fake", 10)] == rig.calls


async def test_options_reach_the_voice() -> None:
    rig, tts, options = Rig(), FakeTts(), SpeechOptions("joe", 1.5, 0.5)
    await soon(rig.stages.say(JOB, tts, "hello", options))

    assert [("hello", options)] == tts.requests


@pytest.mark.parametrize("output_rate_hz", [8_000, 24_000, 48_000])
async def test_speech_and_its_timing_are_at_the_rate_of_the_output(output_rate_hz: int) -> None:
    rig, tts = Rig(output_rate_hz), FakeTts(rate_hz=16_000, samples_per_character=1_600)
    await soon(rig.stages.say(JOB, tts, "ab cd", PLAIN))
    spoken = [event for event in rig.events if isinstance(event, Spoken)]

    assert 500 * output_rate_hz // 1000 == sum(event.samples for event in spoken) == len(rig.audio) // 2
    assert [200 * output_rate_hz // 1000, 500 * output_rate_hz // 1000] == [
        word.end_sample for event in spoken for word in event.words
    ]


async def test_timing_that_comes_without_audio_is_told_all_the_same() -> None:
    class Late(FakeTts):
        async def synthesise(self, text: str, options: SpeechOptions) -> AsyncGenerator[SpeechChunk, None]:
            yield SpeechChunk(bytes(200))
            yield SpeechChunk(b"", (WordTiming("ab", 100),))

    rig = Rig()
    await soon(rig.stages.say(JOB, Late(), "ab", PLAIN))

    assert [Spoken(JOB, 100), Spoken(JOB, 0, (WordTiming("ab", 100),)), SpokenWhole(JOB)] == rig.events


async def test_a_voice_that_breaks_off_leaves_what_it_said() -> None:
    errors: list[ProviderError | None] = [None, Unreachable("gone")]
    rig, tts = Rig(), FakeTts(samples_per_character=1_000, chunk_samples=1_000, errors=errors)
    await soon(rig.stages.say(JOB, tts, "ab", PLAIN))

    assert Spoken(JOB, 1_000) == rig.events[0]
    assert 1_000 * 2 == len(rig.audio)
    assert ("gone", True) == (rig.failure.message, rig.failure.retryable)


async def test_what_is_remembered_is_told_of_as_from_the_cache_and_sounds_the_same() -> None:
    rig = Rig()
    voice = FakeTts(rate_hz=RATE_HZ, samples_per_character=100)
    cache = PhraseCache(voice, 10**6)
    await soon(rig.stages.say(JOB, cache, "ab cd", PLAIN))
    first = bytes(rig.audio)
    await soon(rig.stages.say(JOB, cache, "ab cd", PLAIN))

    assert ["fake", "phrase_cache"] == [call.provider for call in rig.calls]
    assert 1 == len(voice.requests)
    assert first + first == rig.audio
    assert rig.events[: len(rig.events) // 2] == rig.events[len(rig.events) // 2 :]


async def test_behind_a_cache_each_of_several_voices_is_told_of_by_its_own_name() -> None:
    rig = Rig()
    first, second = FakeTts(errors=[Unreachable("gone")]), FakeTts()
    first.name, second.name = "first", "second"
    cache = PhraseCache(TextToSpeechInOrder([first, second]), 10**6)
    await soon(rig.stages.say(JOB, cache, "ab cd", PLAIN))

    assert [("first", "unreachable"), ("second", None)] == [(call.provider, call.error) for call in rig.calls]


async def test_a_text_of_nothing_is_spoken_whole() -> None:
    rig = Rig()
    await soon(rig.stages.say(JOB, FakeTts(), " ", PLAIN))

    assert [SpokenWhole(JOB)] == rig.events
