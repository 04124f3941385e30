"""Who traces a session is told of each job, from within its task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import pytest

from providers.api import AgentRequest
from providers.errors import ProviderError, Rejected, Unreachable
from providers.fakes import FakeAgent, FakeStt, FakeTurnDetector, Utterance
from session import SpeechToTextInOrder, agents_told
from session.aio.spans import NoSpans, Span, SpanKind
from session.notices import TurnDone
from tests.session.aio.stage import ASK, Witness, a_session, a_voice, silence, soon, speech

JOB: ContextVar[str] = ContextVar("JOB", default="outside")


def answering(step: str | ProviderError) -> Callable[[AgentRequest], list[str | ProviderError]]:
    """To turns; nothing is said when the session starts."""
    return lambda request: [step] if request.type == "turn" else []


class Noted:
    """A ``Spans`` that writes down what it is told, as ``(job, what)``; a job is its kind and its turn."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []
        self.open = 0

    @contextmanager
    def stage(self, kind: SpanKind, provider: str, turn_id: str) -> Iterator[Span]:
        name = f"{kind} {turn_id}".strip()
        before = JOB.set(name)
        self.open += 1
        self.told.append((name, provider))
        try:
            yield _Notes(name, self.told)
        finally:
            self.open -= 1
            JOB.reset(before)

    def of(self, name: str) -> list[object]:
        return [what for job, what in self.told if job == name]

    @property
    def jobs(self) -> set[str]:
        return {job for job, _ in self.told}


class _Notes:
    def __init__(self, name: str, told: list[tuple[str, object]]) -> None:
        self._name = name
        self._told = told

    def asks(self, provider: str) -> None:
        self._told.append((self._name, f"asks {provider}"))

    def first_result(self, latency_ms: int) -> None:
        self._told.append((self._name, "first result" if latency_ms >= 0 else "before it was asked"))

    def over(self, error: str | None) -> None:
        self._told.append((self._name, error or "well"))


async def test_every_job_of_a_turn_is_told_with_its_turn() -> None:
    spans, judging = Noted(), asyncio.Event()

    async def gate() -> None:
        judging.set()

    session = a_session(
        stt=FakeStt([Utterance(("what time is it",))]),
        agent=FakeAgent(answering("Noon.")),
        turn_detector=FakeTurnDetector(gate=gate),
        tts=a_voice(),
        spans=spans,
    )
    witness = Witness(session)
    async with session:
        await session.start()
        await session.process_audio(speech(640) + silence(180))
        await soon(judging.wait())
        await session.process_audio(silence(1_000))
        await witness.until(TurnDone)

    (done,) = witness.of(TurnDone)
    turn_id = done.turn_id
    assert {f"{kind} {turn_id}" for kind in ("stt", "turn", "agent", "tts")} <= spans.jobs
    assert ["fake", "asks fake", "first result", "well"] == spans.of(f"agent {turn_id}")
    assert ["fake", "asks fake", "first result", "well"] == spans.of(f"tts {turn_id}")
    assert "first result" in spans.of(f"stt {turn_id}")
    assert 0 == spans.open


async def test_what_an_agent_is_told_without_being_asked_is_a_job_too() -> None:
    spans = Noted()
    session = a_session(agent=FakeAgent(), spans=spans)
    witness = Witness(session)
    async with session:
        await session.start()
        await session.process_transcript("hello")
        await witness.until(TurnDone)
    await soon(agents_told())

    assert ["fake", "well"] == spans.of("notify")


async def test_a_job_runs_in_the_context_of_its_span() -> None:
    seen: list[str] = []

    async def agent(_request: object) -> str:
        seen.append(JOB.get())
        return "Noon."

    session = a_session(agent=agent, spans=Noted())
    witness = Witness(session)
    async with session:
        await session.start()
        await session.process_transcript("what time is it")
        await witness.until(TurnDone)

    assert seen
    assert all(job.startswith("agent ") for job in seen)
    assert "outside" == JOB.get()


async def test_a_job_that_fails_is_told_with_its_error() -> None:
    spans = Noted()
    session = a_session(agent=FakeAgent(answering(Rejected("no", provider="fake"))), spans=spans)
    witness = Witness(session)
    async with session:
        await session.start()
        await session.process_transcript("hello")
        await witness.until(TurnDone)

    (done,) = witness.of(TurnDone)
    assert Rejected.code in spans.of(f"agent {done.turn_id}")


async def test_a_recogniser_that_cannot_be_opened_is_a_job_that_failed() -> None:
    spans = Noted()
    session = a_session(stt=FakeStt([Rejected("no", provider="fake")]), spans=spans)
    witness = Witness(session)
    async with session:
        await session.start()
        for pcm in ASK:
            await session.process_audio(pcm)
        await witness.until(TurnDone)

    (done,) = witness.of(TurnDone)
    assert Rejected.code in spans.of(f"stt {done.turn_id}")


async def test_of_several_providers_each_that_was_asked_is_told() -> None:
    broken, well = FakeStt([Unreachable("gone", provider="fake")]), FakeStt([Utterance(("hello",))])
    broken.name, well.name = "broken", "well"
    spans = Noted()
    session = a_session(stt=SpeechToTextInOrder([broken, well]), agent=FakeAgent(answering("Hi.")), spans=spans)
    witness = Witness(session)
    async with session:
        await session.start()
        for pcm in ASK:
            await session.process_audio(pcm)
        await witness.until(TurnDone)

    (done,) = witness.of(TurnDone)
    assert "asks well" in spans.of(f"stt {done.turn_id}")


@pytest.mark.parametrize("kind", ["stt", "notify"])
def test_nobody_has_to_trace(kind: SpanKind) -> None:
    with NoSpans().stage(kind, "fake", "1") as span:
        span.asks("fake")
        span.first_result(10)
        span.over(None)

    assert "outside" == JOB.get()
