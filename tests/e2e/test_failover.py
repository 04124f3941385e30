"""Agents, voices and recognisers that fail in the middle of real calls: somebody takes over, or the caller is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import httpx2
import pytest

from providers import registry
from tests.caller import Caller, calling, silence, voice
from tests.e2e.agent_process import AgentProcess, agent_process
from tests.e2e.line import Line, on_the_line
from tests.recordings import BECKETT, word_error_rate
from tests.server import QUICK, RunningServer, running, serving

pytestmark = pytest.mark.timeout(60)

QUICK_TO_RETRY = {"apology": "Sorry.", "retry_delay": "100ms", "max_retries": 1}


async def metrics_of(base_url: str) -> str:
    async with httpx2.AsyncClient(base_url=base_url) as http:
        return (await http.get("/metrics")).text


# --- the agent ---------------------------------------------------------------------------------------------------


@asynccontextmanager
async def call_with_agent(*fallback: str) -> AsyncIterator[tuple[Caller, AgentProcess, RunningServer]]:
    """A call to a server whose agent is a webhook in a process of its own."""
    with agent_process() as webhook:
        agent = {"provider": "webhook", "url": webhook.url, "fallback": list(fallback)}
        async with running(agent=agent, session=QUICK_TO_RETRY) as server, calling(server.ws_url) as caller:
            await caller.start()
            yield caller, webhook, server


def errors_told(caller: Caller) -> list[str]:
    return [message["code"] for message in caller.messages if message["type"] == "error"]


async def test_when_the_agent_is_killed_before_its_answer_the_next_answers() -> None:
    async with call_with_agent("echo") as (caller, webhook, _):
        await caller.send("text", text="wait")
        await webhook.until_asked("wait")
        webhook.kill()
        done = await caller.until("reply", event="done")
        webhook.start()
        next_done = await caller.converse("and now")

    assert ("wait", "All is well.") == (done["heard_text"], next_done["heard_text"])
    assert [] == errors_told(caller)


async def test_when_the_only_agent_is_killed_before_its_answer_the_caller_hears_the_apology() -> None:
    async with call_with_agent() as (caller, webhook, _):
        await caller.send("text", text="wait")
        await webhook.until_asked("wait")
        webhook.kill()
        apology = await caller.until("reply", event="done")
        webhook.start()
        next_done = await caller.converse("and now")

    assert ("Sorry.", "All is well.") == (apology["heard_text"], next_done["heard_text"])
    assert ["agent_error"] == errors_told(caller)


@pytest.mark.parametrize("fallback", [(), ("echo",)])
async def test_when_the_agent_is_killed_in_its_answer_what_was_said_is_heard_and_excused(
    fallback: tuple[str, ...],
) -> None:
    async with call_with_agent(*fallback) as (caller, webhook, _):
        await caller.send("text", text="story")
        await caller.until_audio()
        webhook.kill()
        done = await caller.until("reply", event="done")
        apology = await caller.until("reply", event="done")
        webhook.start()
        next_done = await caller.converse("and now")

    assert ["Once upon a time. There", "Sorry.", "All is well."] == [
        reply["heard_text"] for reply in (done, apology, next_done)
    ]
    assert ["agent_error"] == errors_told(caller)


async def test_an_agent_that_stays_away_is_left_alone_and_taken_back_when_it_is_there_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with call_with_agent("echo") as (caller, webhook, server):
        webhook.kill()
        heard = [(await caller.converse(f"turn {number}"))["heard_text"] for number in range(6)]
        while_away = await metrics_of(server.base_url)
        webhook.start()
        still_left_alone = await caller.converse("hello")
        monkeypatch.setattr("session.breaker.OPEN_MS", 0)  # the half minute is over
        back = [(await caller.converse("hello"))["heard_text"] for _ in range(2)]
        afterwards = await metrics_of(server.base_url)

    assert [f"turn {number}" for number in range(6)] == heard
    assert ("hello", ["All is well."] * 2) == (still_left_alone["heard_text"], back)
    assert 'circuit_breaker_state{kind="agent",provider="webhook"} 2.0' in while_away
    assert 'circuit_breaker_state{kind="agent",provider="echo"} 0.0' in while_away
    assert 'provider_errors_total{code="unreachable",kind="agent",provider="webhook"} 5.0' in while_away
    assert 'circuit_breaker_state{kind="agent",provider="webhook"} 0.0' in afterwards
    assert [] == errors_told(caller)


async def test_the_only_agent_is_taken_back_too_and_until_then_the_apology_comes_without_a_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with call_with_agent() as (caller, webhook, server):
        webhook.kill()
        heard = [(await caller.converse("hello"))["heard_text"] for _ in range(4)]
        while_away = await metrics_of(server.base_url)
        webhook.start()
        monkeypatch.setattr("session.breaker.OPEN_MS", 0)
        back = await caller.converse("hello")

    assert ["Sorry."] * 4 == heard
    assert 'circuit_breaker_state{kind="agent",provider="webhook"} 2.0' in while_away
    assert "All is well." == back["heard_text"]
    assert [True, True, False, False] == [
        message["retryable"] for message in caller.messages if message["type"] == "error"
    ]


# --- the voice ---------------------------------------------------------------------------------------------------


@pytest.fixture
def cracked_voice(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a package that brings it were installed."""
    points = EntryPoints([EntryPoint("cracked", "tests.e2e.cracked_voice:Cracked", "beluga_voice.tts")])
    monkeypatch.setattr(registry, "entry_points", lambda *, group: points.select(group=group))


async def spoken_by(**tts: Any) -> tuple[list[str], list[str], str]:
    """What was heard of two turns, the errors, and the metrics; the second turn is short enough for the voice."""
    settings: dict[str, Any] = {"tts": {"provider": "cracked", "options": {}, **tts}, "session": QUICK_TO_RETRY}
    async with running(**settings) as server, calling(server.ws_url) as caller:
        await caller.start()
        await caller.converse("please hold the line a moment")
        if not tts:
            await caller.until("reply", event="done")  # the apology
        await caller.converse("fine")
        metrics = await metrics_of(server.base_url)
    replies = [message for message in caller.messages if message["type"] == "reply" and message["event"] == "done"]
    return [reply["heard_text"] for reply in replies], errors_told(caller), metrics


@pytest.mark.usefixtures("cracked_voice")
async def test_a_voice_that_breaks_in_its_second_chunk_is_replaced_and_no_word_is_lost() -> None:
    heard, errors, metrics = await spoken_by(fallback=["tone"])

    assert ["please hold the line a moment", "fine"] == heard
    assert [] == errors
    assert 'provider_errors_total{code="unreachable",kind="tts",provider="cracked"} 1.0' in metrics
    assert 'provider_requests_total{kind="tts",provider="tone"} 1.0' in metrics


@pytest.mark.usefixtures("cracked_voice")
async def test_a_voice_that_breaks_and_has_no_other_is_heard_as_far_as_it_came_and_excused() -> None:
    (cut, *others), errors, _ = await spoken_by()

    assert "please hold the".startswith(cut)
    assert cut
    assert ["Sorry.", "fine"] == others
    assert ["tts_error"] == errors


async def answered_by_a_dead_voice(**tts: Any) -> tuple[list[str], list[str], str]:
    """What was heard of one turn and of its apology, the errors, and the metrics."""
    settings: dict[str, Any] = {"tts": {"provider": "cracked", **tts}, "session": QUICK_TO_RETRY}
    async with running(**settings) as server, calling(server.ws_url) as caller:
        await caller.start()
        reply = await caller.converse("hello")
        apology = await caller.until("reply", event="done")
        metrics = await metrics_of(server.base_url)
    return [reply["heard_text"], apology["heard_text"]], errors_told(caller), metrics


@pytest.mark.usefixtures("cracked_voice")
async def test_the_apology_is_heard_although_the_voice_is_dead_for_it_was_synthesised_before_the_call() -> None:
    heard, errors, metrics = await answered_by_a_dead_voice(options={"last_text": 1})

    assert ["", "Sorry."] == heard
    assert ["tts_error"] == errors
    assert 'provider_requests_total{kind="tts",provider="phrase_cache"} 1.0' in metrics


@pytest.mark.usefixtures("cracked_voice")
async def test_a_dead_voice_whose_apology_nobody_remembers_is_one_error_and_silence() -> None:
    heard, errors, _ = await answered_by_a_dead_voice(options={"last_text": 0}, cache_bytes=0)

    assert ["", ""] == heard
    assert ["tts_error"] == errors


# --- the recogniser ----------------------------------------------------------------------------------------------

STALLING: dict[str, Any] = {"provider": "fixed", "options": {"delay_ms": 10_000}}


async def talked_to(stt: dict[str, Any]) -> tuple[Line, str]:
    """Something was said, answered, and something else was typed, and answered."""
    session = QUICK_TO_RETRY | {"stt_timeout": "1s"}
    async with running(stt=stt, session=session) as server, on_the_line(server.ws_url) as line:
        await line.say(silence(300) + voice(600))
        await line.until_count(1, "reply", event="done")
        await line.send("text", text="and now")
        await line.until_count(2, "reply", event="done")
        return line, await metrics_of(server.base_url)


def heard(line: Line) -> list[str]:
    return [reply["heard_text"] for reply in line.of("reply", event="done")]


async def test_what_a_stalled_recogniser_keeps_to_itself_is_answered_all_the_same() -> None:
    other = {"provider": "fixed", "options": {"text": "good morning"}}
    line, metrics = await talked_to(STALLING | {"fallback": [other]})

    assert ["good morning", "and now"] == heard(line)
    assert [] == line.of("error")
    assert 'provider_errors_total{code="timed_out",kind="stt",provider="fixed"} 1.0' in metrics
    assert 'circuit_breaker_state{kind="stt",provider="fixed-2"} 0.0' in metrics


async def test_a_recogniser_that_stalls_and_has_no_other_is_excused_and_the_next_turn_works() -> None:
    line, _ = await talked_to(STALLING | {"options": {"delay_ms": 10_000, "text": ""}})

    assert ["Sorry.", "and now"] == heard(line)
    assert ["stt_error"] == [error["code"] for error in line.of("error")]


async def test_what_a_stalled_recogniser_keeps_to_itself_is_heard_by_the_next() -> None:
    """In a process of its own, with real speech."""
    env = {"BELUGA_STT__OPTIONS": '{"delay_ms": 10000}', "BELUGA_STT__FALLBACK": "moonshine"}
    with serving(QUICK | env | {"BELUGA_VAD__PROVIDER": "silero"}) as server:
        async with on_the_line(server.ws_url) as line:
            await line.say(BECKETT.phrase(0))
            transcript = await line.until_message("transcript", final=True)
            await line.until_message("reply", event="done")
        metrics = await metrics_of(server.base_url)

    assert word_error_rate(BECKETT.phrases[0].text, transcript["text"]) <= 0.3
    assert 'provider_errors_total{code="timed_out",kind="stt",provider="fixed"} 1.0' in metrics
    assert 'circuit_breaker_state{kind="stt",provider="moonshine"} 0.0' in metrics
