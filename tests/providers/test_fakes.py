from __future__ import annotations

import asyncio

import pytest

from providers.api import AgentAction, AgentRequest, AgentText, SpeechOptions, Transcript, TurnSoFar
from providers.errors import Overloaded, Unreachable
from providers.fakes import FakeAgent, FakeNoise, FakeStt, FakeTts, FakeTurnDetector, FakeVad, Utterance, after

LOUD = b"\x00\x40" * 512
QUIET = bytes(1024)


async def test_speech_to_text_follows_its_script() -> None:
    stt = FakeStt([Utterance(finals=("hello", "hello there"), interims=("he",))])
    stream = stt.open(language="en")
    for _ in range(2):
        stream.feed(LOUD)
        stream.finalise()
    iterator = stream.__aiter__()
    results = [await anext(iterator) for _ in range(3)]

    assert [
        Transcript("he", final=False, language="en"),
        Transcript("hello", final=True, language="en"),
        Transcript("hello there", final=True, language="en"),
    ] == results
    assert LOUD * 2 == stt.streams[0].fed


async def test_speech_to_text_without_a_script_heard_nothing() -> None:
    stream = FakeStt().open()
    stream.finalise()

    assert Transcript("", final=True) == await anext(aiter(stream))


async def test_a_scripted_error_is_raised() -> None:
    stream = FakeStt([Utterance(finals=(Overloaded("full"),))]).open()
    stream.finalise()

    with pytest.raises(Overloaded):
        await anext(aiter(stream))


async def test_the_length_of_speech_follows_the_text_and_the_speed() -> None:
    tts = FakeTts(samples_per_character=100, chunk_samples=250)
    chunks = [chunk async for chunk in tts.synthesise("abc de", SpeechOptions(speed=0.5))]

    assert [250, 250, 250, 250, 200] == [len(chunk.pcm) // 2 for chunk in chunks]
    assert [("abc", 600), ("de", 1200)] == [(word.word, word.end_sample) for chunk in chunks for word in chunk.words]


async def test_an_error_may_come_in_mid_speech() -> None:
    tts = FakeTts(errors=[None, Unreachable("gone")])
    speech = tts.synthesise("hello", SpeechOptions())
    await anext(speech)

    with pytest.raises(Unreachable):
        await anext(speech)


async def test_a_gate_holds_a_result_back_until_it_is_opened() -> None:
    opened = asyncio.Event()
    agent = FakeAgent([["Hello."]], gate=opened.wait)
    first = asyncio.ensure_future(anext(agent.ask(AgentRequest("turn", "s"))))
    await asyncio.sleep(0)

    assert not first.done()
    opened.set()
    assert AgentText("Hello.") == await first


async def test_voice_activity_is_scripted_and_then_loudness() -> None:
    stream = FakeVad([0.25, 0.75]).open()

    assert [0.25, 0.75, 0.0, 1.0] == [await stream.detect(window) for window in (LOUD, QUIET, QUIET, LOUD)]


async def test_noise_is_passed_on_or_fails() -> None:
    assert LOUD == FakeNoise().open().process(LOUD)
    with pytest.raises(Overloaded):
        FakeNoise(error=Overloaded("full")).open().process(LOUD)


async def test_verdicts_come_in_order_and_the_last_stays() -> None:
    detector = FakeTurnDetector([0.1, 0.9])

    assert [0.1, 0.9, 0.9] == [await detector.judge(TurnSoFar(text)) for text in "abc"]
    assert ["a", "b", "c"] == [turn.text for turn in detector.turns]


async def test_an_agent_answers_turn_by_turn_and_then_is_silent() -> None:
    agent = FakeAgent([["One", AgentAction("hangup")], ["Two"]])
    answers = [[output async for output in agent.ask(AgentRequest("turn", "s", str(turn)))] for turn in range(3)]

    assert [[AgentText("One"), AgentAction("hangup")], [AgentText("Two")], []] == answers
    assert ["0", "1", "2"] == [request.turn_id for request in agent.asked]


async def test_an_agent_may_be_a_function_and_remembers_who_gave_up() -> None:
    agent = FakeAgent(lambda request: [request.transcript, "more"])
    answer = agent.ask(AgentRequest("turn", "s", "1", "hello"))

    assert AgentText("hello") == await anext(answer)
    await answer.aclose()
    assert ["1"] == [request.turn_id for request in agent.abandoned]


async def test_a_text_may_be_refused() -> None:
    tts = FakeTts(refusals=[None, Overloaded("full")])
    first = [chunk async for chunk in tts.synthesise("a", SpeechOptions())]
    with pytest.raises(Overloaded):
        await anext(tts.synthesise("b", SpeechOptions()))
    third = [chunk async for chunk in tts.synthesise("c", SpeechOptions())]

    assert len(first) == len(third) > 0
    assert ["a", "b", "c"] == [text for text, _ in tts.requests]


def test_a_stream_may_be_refused() -> None:
    stt = FakeStt([Unreachable("gone"), "hello"])
    with pytest.raises(Unreachable):
        stt.open()

    assert stt.open() is stt.streams[0]


async def test_voice_activity_may_fail() -> None:
    stream = FakeVad([0.5, Unreachable("gone")]).open()
    assert 0.5 == await stream.detect(QUIET)
    with pytest.raises(Unreachable):
        await stream.detect(QUIET)

    assert 1.0 == await stream.detect(LOUD)


async def test_voice_activity_waits_for_its_gate() -> None:
    open_it = asyncio.Event()
    detecting = asyncio.create_task(FakeVad(gate=open_it.wait).open().detect(LOUD))
    await asyncio.sleep(0)
    assert not detecting.done()
    open_it.set()

    assert 1.0 == await detecting


async def test_a_gate_may_open_by_itself_later_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def keep(delay_s: float) -> None:
        waited.append(delay_s)

    monkeypatch.setattr(asyncio, "sleep", keep)
    gate = after(0.1, 0.5, 2.0)
    for _ in range(4):
        await gate()

    assert [0.1, 0.5, 2.0, 2.0] == waited
