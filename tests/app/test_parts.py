from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
import structlog

from app import parts
from app.parts import Choice, build, choices, warm_up
from app.settings import Settings, WrongSettings, load
from providers.api import SpeechOptions
from providers.errors import Unreachable
from providers.phrase_cache import PhraseCache
from providers.tts.tone import Tone
from session import TextToSpeechInOrder
from tests.server import QUICK


def quick(**more: str) -> Settings:
    return load(environment=QUICK | more)


MADE = build(quick())
"""Made before any event loop runs, as in a server."""


class Flaky:
    """A voice that is there at the third try."""

    def __init__(self, voice: Any) -> None:
        self.name = "flaky"
        self.rate_hz = voice.rate_hz
        self.synthesise = voice.synthesise
        self.tries = 0
        self.closed = False

    async def warm_up(self) -> None:
        self.tries += 1
        if self.tries < 3:
            raise Unreachable("nobody there", provider=self.name)

    async def aclose(self) -> None:
        self.closed = True
        raise Unreachable("not even now", provider=self.name)


class Watching:
    """``asked``: who was."""

    def __init__(self, asked: list[str]) -> None:
        self.asks = asked.append

    def over(self, error: str) -> None:
        raise AssertionError(error)


def test_every_part_is_made_as_configured() -> None:
    made = build(quick())

    assert ["fixed", "tone", "energy", "transcript", "echo"] == [part.name for part in made.all()]
    assert (None, None) == (made.echo, made.noise)


def test_options_reach_the_provider() -> None:
    made: Any = build(quick(BELUGA_TTS__OPTIONS='{"rate_hz": 8000}'))

    assert 8000 == made.tts.rate_hz


def test_every_wrong_option_is_a_line() -> None:
    with pytest.raises(WrongSettings) as raised:
        build(quick(BELUGA_TTS__OPTIONS='{"duration_ms": -1, "colour": 1}', BELUGA_STT__OPTIONS='{"colour": 1}'))

    assert 3 == len(raised.value.lines)
    assert {"tts.options.duration_ms", "tts.options.colour", "stt.options.colour"} == {
        line.partition(":")[0] for line in raised.value.lines
    }


def test_a_wrong_option_of_a_fallback_is_a_line_with_the_path_of_the_setting() -> None:
    with pytest.raises(WrongSettings) as raised:
        build(
            quick(
                BELUGA_STT__FALLBACK='[{"provider": "fixed", "options": {"delay_ms": -1}}]',
                BELUGA_AGENT__FALLBACK='["webhook", {"provider": "webhook", "secret": "hush", "options": {"a": 1}}]',
            )
        )
    lines = raised.value.lines

    assert [
        "stt.fallback.0.options.delay_ms",
        "agent.fallback.0.url",
        "agent.fallback.1.url",
        "agent.fallback.1.secret",
        "agent.fallback.1.options.a",
    ] == [line.partition(":")[0] for line in lines]
    assert "hush" not in "\n".join(lines)


def test_fallbacks_are_choices_and_stand_behind_the_first() -> None:
    settings = quick(
        BELUGA_STT__FALLBACK="moonshine", BELUGA_AGENT__FALLBACK='["demo", {"provider": "echo", "options": {"a": 1}}]'
    )

    assert [
        Choice("stt", "stt", "fixed", {}),
        Choice("stt", "stt.fallback.0", "moonshine", {}),
        Choice("agent", "agent", "echo", {}),
        Choice("agent", "agent.fallback.0", "demo", {}),
        Choice("agent", "agent.fallback.1", "echo", {"a": 1}),
    ] == [choice for choice in choices(settings) if choice.kind in {"stt", "agent"}]


def test_every_provider_of_an_order_has_a_breaker_of_its_own_name() -> None:
    made = build(quick(BELUGA_TTS__FALLBACK='[{"provider": "tone", "options": {"rate_hz": 8000}}]'))

    assert [("stt", "fixed"), ("tts", "tone"), ("tts", "tone-2"), ("agent", "echo")] == [
        (kind, name) for kind, name, _ in made.breakers()
    ]


def test_sessions_speak_with_a_memory_in_front_of_the_voices_unless_it_may_hold_nothing() -> None:
    remembering, forgetful = build(quick()), build(quick(BELUGA_TTS__CACHE_BYTES="0"))

    assert isinstance(remembering.tts, PhraseCache)
    assert ("tone", 2**24) == (remembering.tts.name, remembering.tts._most_bytes)
    assert forgetful.tts is forgetful.voices


async def test_the_apology_is_remembered_in_the_pieces_that_a_session_says_it_in() -> None:
    made = await asyncio.to_thread(
        lambda: build(quick(BELUGA_SESSION__APOLOGY="Sorry, that went wrong. Could you say it again?"))
    )
    await warm_up(made)
    asked: list[str] = []
    watch = Watching(asked)
    assert isinstance(made.tts, PhraseCache)
    for piece in ("Sorry, that went wrong.", "Could you say it again?"):
        assert [chunk async for chunk in made.tts.synthesise(piece, SpeechOptions(), watch)]

    assert ["phrase_cache"] * 2 == asked


@pytest.mark.parametrize("more", [{"BELUGA_SESSION__APOLOGY": ""}, {"BELUGA_TTS__CACHE_BYTES": "0"}])
async def test_without_an_apology_or_a_memory_nothing_is_synthesised_before_the_first_call(
    more: dict[str, str],
) -> None:
    made = await asyncio.to_thread(lambda: build(quick(**more)))
    await warm_up(made)

    assert 0 == getattr(made.tts, "held_bytes", 0)


async def test_what_is_not_there_yet_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_RETRY_AFTER_S", (0.0,))
    flaky = Flaky(MADE.tts)
    with structlog.testing.capture_logs() as logs:
        await warm_up(replace(MADE, tts=TextToSpeechInOrder([flaky])))

    assert 3 == flaky.tries
    assert ["flaky", "flaky"] == [line["provider"] for line in logs]


async def test_a_fallback_that_is_not_there_keeps_no_server_from_starting() -> None:
    flaky = Flaky(MADE.tts)
    with structlog.testing.capture_logs() as logs:
        await warm_up(replace(MADE, tts=TextToSpeechInOrder([Tone(), flaky])))

    assert 1 == flaky.tries
    assert [] == logs


async def test_one_that_does_not_close_keeps_none_from_closing() -> None:
    first, second = Flaky(MADE.tts), Flaky(MADE.tts)
    with structlog.testing.capture_logs() as logs:
        await replace(MADE, tts=first, stt=second).aclose()  # type: ignore[arg-type] # they only have to be closed

    assert first.closed
    assert second.closed
    assert 2 == len(logs)
