"""The providers of a server: made from its settings, loaded once, shared by all sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

import structlog

import providers
from app.settings import Settings, WrongSettings
from providers.api import Agent, NoiseFilter, SpeechToText, TextToSpeech, TurnDetector, VoiceActivity
from providers.errors import ProviderError, Rejected
from providers.registry import Kind
from session import SpeechToTextInOrder, TextToSpeechInOrder
from session.aio.failover import PATIENCE_MS
from session.breaker import Breaker

__all__ = ("Choice", "Parts", "build", "choices", "warm_up")

_RETRY_AFTER_S = (1.0, 2.0, 5.0, 10.0, 30.0)

_HINT = "beluga-voice check tells more"

logger = structlog.get_logger("beluga.parts")


@dataclass(frozen=True, slots=True)
class Choice:
    """One configured provider. A fallback is made with its defaults: ``options`` belong to the first choice."""

    kind: Kind
    name: str
    options: dict[str, Any]
    fallback: bool = False

    def make(self) -> Any:
        """
        :raises Rejected:
        """
        return providers.create(self.kind, self.name, **self.options)


@dataclass(frozen=True, slots=True)
class Parts:
    stt: SpeechToTextInOrder
    tts: TextToSpeechInOrder
    vad: VoiceActivity
    noise: NoiseFilter | None
    turn: TurnDetector
    agent: Agent

    def all(self) -> Iterator[SpeechToText | TextToSpeech | VoiceActivity | NoiseFilter | TurnDetector | Agent]:
        yield from (self.stt, self.tts, self.vad, self.turn, self.agent)
        if self.noise is not None:
            yield self.noise

    def breakers(self) -> Iterator[tuple[Kind, str, Breaker]]:
        """With the kind and the name of the provider that each is of."""
        for name, breaker in self.stt.breakers:
            yield "stt", name, breaker
        for name, breaker in self.tts.breakers:
            yield "tts", name, breaker

    async def aclose(self) -> None:
        for part in self.all():
            try:
                await part.aclose()
            except ProviderError as error:
                logger.warning("provider did not close", provider=part.name, error=str(error))


def choices(settings: Settings) -> tuple[Choice, ...]:
    """Everything that is configured, fallbacks included."""
    return (
        Choice("stt", settings.stt.provider, settings.stt.options),
        *(Choice("stt", name, {}, fallback=True) for name in settings.stt.fallback),
        Choice("tts", settings.tts.provider, settings.tts.options),
        *(Choice("tts", name, {}, fallback=True) for name in settings.tts.fallback),
        Choice("vad", settings.vad.provider, settings.vad.options),
        Choice("noise", settings.noise.provider, settings.noise.options),
        Choice("turn", settings.turn.provider, settings.turn.options),
        Choice("agent", settings.agent.provider, settings.agent.all_options()),
    )


def build(settings: Settings) -> Parts:
    """Make every provider; nothing is loaded yet.

    :raises WrongSettings: when a name, an option or a package is wrong, each on its line.
    """
    made: dict[str, list[Any]] = {}
    mistakes: list[str] = []
    for choice in choices(settings):
        try:
            provider = choice.make()
        except Rejected as error:
            mistakes.extend(str(error).splitlines())
        else:
            made.setdefault(choice.kind, []).append(provider)
    if mistakes:
        raise WrongSettings(mistakes)
    rules = settings.session
    return Parts(
        stt=SpeechToTextInOrder(made.pop("stt"), patience_ms=min(PATIENCE_MS, rules.stt_timeout_ms // 2)),
        tts=TextToSpeechInOrder(made.pop("tts"), patience_ms=min(PATIENCE_MS, rules.tts_timeout_ms // 2)),
        **{kind: provider for kind, (provider,) in made.items()},
    )


async def warm_up(parts: Parts) -> None:
    """Load what the providers need, one after another: they share the processor. What fails is tried again."""
    for part in parts.all():
        for pause_s in chain(_RETRY_AFTER_S, repeat(_RETRY_AFTER_S[-1])):
            try:
                await part.warm_up()
                break
            except ProviderError as error:
                reason = str(error)
            logger.error("provider not ready", provider=part.name, reason=reason, again_in_s=pause_s, hint=_HINT)
            await asyncio.sleep(pause_s)
